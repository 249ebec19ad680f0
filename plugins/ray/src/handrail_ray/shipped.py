"""The code of a workflow on the nodes: used where it is, if it is the same, or as it was shipped.

What is shipped are the Python files of folders that are not installed. What a node has at the same
place, byte for byte, is used there, so that it finds the files beside it: on a cluster of one
machine, and where nodes share a file system, nothing is unpacked.
"""

from __future__ import annotations

import io
import os
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from handrail.errors import ExecutorError
from handrail.executors import CodeRef
from handrail.frozen import frozen, replace

LARGEST = 20_000_000
"""The most bytes of Python files that are shipped."""

_NOT_CODE = ("node_modules", "site-packages", "__pycache__")


@frozen
class Shipped:
    """Code, as it goes to the nodes.

    Attributes:
        code: Where the run has it.
        files: The path of each file, by its place in the archive.
        digests: The digest of each file, by its path.
        archive: The files, as a ZIP archive.
    """

    code: CodeRef
    files: Mapping[str, str]
    digests: Mapping[str, str]
    archive: bytes

    @property
    def name(self) -> str:
        """A name for the folder of the archive; the same only for the same content."""
        return f"handrail-{sha256(self.archive).hexdigest()[:24]}"


def ship(code: CodeRef) -> Shipped:
    """Return the code of a workflow for the nodes.

    Raises:
        ExecutorError: It is more than `LARGEST`, or cannot be read.
    """
    places = {
        f"path/{number}/{file.relative_to(folder).as_posix()}": str(file)
        for number, folder in enumerate(code.path)
        if not os.path.samefile(folder, sysconfig.get_path("scripts"))
        for file in _python_files(folder)
    }
    places |= {f"files/{name}/{Path(file).name}": file for name, file in code.files.items()}
    digests: dict[str, str] = {}
    packed, total = io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, file in sorted(places.items()):
            try:
                content = Path(file).read_bytes()
            except OSError as error:
                raise ExecutorError(f"{file} cannot be sent to the nodes: {error}") from error
            total += len(content)
            if total > LARGEST:
                raise ExecutorError(
                    f"the Python files of {', '.join(code.path)} are more than "
                    f"{LARGEST // 1_000_000} MB, too much to send them to the nodes",
                    ways_out=(
                        "install them as a distribution, here and on the nodes",
                        "or start the run in a folder with nothing but the code",
                    ),
                )
            digests[file] = sha256(content).hexdigest()
            # Without the time, so that the same files are the same archive.
            archive.writestr(zipfile.ZipInfo(place), content, zipfile.ZIP_DEFLATED)
    return Shipped(code=code, files=places, digests=digests, archive=packed.getvalue())


def unpack(shipped: Shipped, below: Path) -> CodeRef:
    """Return where a node finds the code; unpack what it has not, or has otherwise.

    Args:
        shipped: The code.
        below: The folder to unpack it in, for all workers of the node.
    """
    code = shipped.code
    target = below / shipped.name

    def at(place: str, there: str) -> str:
        """Return where a node finds a place of the archive, which the run has at `there`."""
        ours = [file for each, file in shipped.files.items() if each.startswith(f"{place}/")]
        if os.path.exists(there) and all(_digest(file) == shipped.digests[file] for file in ours):
            return there
        _extract(shipped.archive, target)
        return str(target / place)

    path = {each: at(f"path/{number}", each) for number, each in enumerate(code.path)}
    files = {name: at(f"files/{name}", file) for name, file in code.files.items()}
    # What was unpacked is in a folder of its own.
    files = {
        name: found if found == code.files[name] else str(Path(found, Path(code.files[name]).name))
        for name, found in files.items()
    }
    folder = code.folder
    if not os.path.isdir(folder):
        _extract(shipped.archive, target)
        folder = path.get(folder, str(target))
    return replace(
        code,
        path=tuple(path.values()),
        checked=tuple(path[each] for each in code.checked),
        files=files,
        folder=folder,
    )


def _python_files(folder: str) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        folders[:] = [
            each
            for each in folders
            if not each.startswith(".")
            and each not in _NOT_CODE
            and not os.path.exists(os.path.join(at, each, "pyvenv.cfg"))
        ]
        yield from (Path(at, each) for each in files if each.endswith(".py"))


def _digest(file: str) -> str | None:
    with suppress(OSError):
        return sha256(Path(file).read_bytes()).hexdigest()
    return None


def _extract(archive: bytes, target: Path) -> None:
    """Unpack an archive, at once for all workers that look for it."""
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        zipfile.ZipFile(io.BytesIO(archive)).extractall(Path(folder, "code"))
        with suppress(OSError):  # Another worker was faster.
            os.rename(Path(folder, "code"), target)
