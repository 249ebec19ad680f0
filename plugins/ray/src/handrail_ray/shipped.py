"""The code of a workflow on the nodes: used where it is, if it is the same, or as it was shipped.

What is shipped are the Python files of folders that are not installed, and the settings and the
lock of the project, each with its path. If a node has all of them at the same places, byte for
byte, they are used there, so that code finds the files beside it: on a cluster of one machine, and
where nodes share a file system, nothing is unpacked.
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
from handrail.executors import CodeRef, project_files
from handrail.frozen import frozen, replace

LARGEST = 20_000_000
"""The most bytes of files that are shipped."""

_NOT_CODE = ("node_modules", "site-packages", "__pycache__")


@frozen
class Shipped:
    """Code, as it goes to the nodes.

    Attributes:
        code: Where the run has it.
        digests: The digest of each file, by its path.
        archive: The files, as a ZIP archive, each at its path without the root.
    """

    code: CodeRef
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
    scripts = sysconfig.get_path("scripts")
    files = {
        str(file)
        for folder in code.path
        if not os.path.exists(scripts) or not os.path.samefile(folder, scripts)
        for file in _python_files(folder)
    }
    files.update(code.files.values(), project_files(code.folder))
    digests: dict[str, str] = {}
    packed, total = io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(files):
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
            archive.writestr(zipfile.ZipInfo(_place(file)), content, zipfile.ZIP_DEFLATED)
    return Shipped(code=code, digests=digests, archive=packed.getvalue())


def unpack(shipped: Shipped, below: Path) -> CodeRef:
    """Return where a node finds the code; unpack it if a file is missing there, or another one.

    Args:
        shipped: The code.
        below: The folder to unpack it in, for all workers of the node.
    """
    code = shipped.code
    same = all(_digest(file) == digest for file, digest in shipped.digests.items())
    if same and all(map(os.path.isdir, (code.folder, *code.path))):
        return code
    target = below / shipped.name

    def at(path: str) -> str:
        return str(target / _place(path))

    _extract(shipped, target)
    return replace(
        code,
        path=tuple(map(at, code.path)),
        checked=tuple(map(at, code.checked)),
        files={name: at(file) for name, file in code.files.items()},
        # What the items read and write may be there nevertheless.
        folder=code.folder if os.path.isdir(code.folder) else at(code.folder),
        source=at(code.folder),
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


def _place(path: str) -> str:
    """Return the place of a file or folder in the archive, which keeps how they lie together."""
    return Path(path).relative_to(Path(path).anchor).as_posix()


def _digest(file: str) -> str | None:
    with suppress(OSError):
        return sha256(Path(file).read_bytes()).hexdigest()
    return None


def _extract(shipped: Shipped, target: Path) -> None:
    """Unpack an archive, at once for all workers that look for it."""
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        code = Path(folder, "code")
        zipfile.ZipFile(io.BytesIO(shipped.archive)).extractall(code)
        for each in (shipped.code.folder, *shipped.code.path):  # One may have no file of its own.
            (code / _place(each)).mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # Another worker was faster.
            os.rename(code, target)
