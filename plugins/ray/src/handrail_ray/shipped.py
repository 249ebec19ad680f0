"""The code of a workflow on the nodes: used where it is, if it is the same, or as it was shipped.

What is shipped are the Python files of folders that are not installed, and the settings and the
lock of the project, each with its path. If a node has all of them at the same places, byte for
byte, they are used there, so that code finds the files beside it: on a cluster of one machine, and
where nodes share a file system, nothing is written.
"""

from __future__ import annotations

import os
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from handrail.errors import ExecutorError
from handrail.frozen import frozen, replace
from handrail_workers import CodeRef, project_files

LARGEST = 20_000_000
"""The most bytes of files that are shipped."""

_NOT_CODE = ("node_modules", "site-packages", "__pycache__")


@frozen
class Shipped:
    """Code, as it goes to the nodes.

    Attributes:
        code: Where the run has it.
        digests: The digest of each file, by its path.
    """

    code: CodeRef
    digests: Mapping[str, str]

    @property
    def name(self) -> str:
        """A name for the folder of the files; the same only for the same content."""
        return f"handrail-{sha256(repr(self.digests).encode()).hexdigest()[:24]}"


def ship(code: CodeRef) -> tuple[Shipped, dict[str, bytes]]:
    """Return the code of a workflow for the nodes, and the content of each file, by its path.

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
    contents: dict[str, bytes] = {}
    total = 0
    for file in sorted(files):
        try:
            contents[file] = _read(file)
        except OSError as error:
            raise ExecutorError(f"{file} cannot be sent to the nodes: {error}") from error
        total += len(contents[file])
        if total > LARGEST:
            raise ExecutorError(
                f"the Python files of {', '.join(code.path)} are more than "
                f"{LARGEST // 1_000_000} MB, too much to send them to the nodes",
                ways_out=(
                    "install them as a distribution, here and on the nodes",
                    "or start the run in a folder with nothing but the code",
                ),
            )
    digests = {file: sha256(content).hexdigest() for file, content in contents.items()}
    return Shipped(code=code, digests=digests), contents


def unpack(shipped: Shipped, below: Path, contents: Callable[[], Mapping[str, bytes]]) -> CodeRef:
    """Return where a node finds the code; write it if a file is missing there, or another one.

    Args:
        shipped: The code.
        below: The folder to write it in, for all workers of the node.
        contents: Returns the content of each file, by its path.
    """
    code = shipped.code
    same = all(_digest(file) == digest for file, digest in shipped.digests.items())
    if same and all(map(os.path.isdir, (code.folder, *code.path))):
        return code
    target = below / shipped.name

    def at(path: str) -> str:
        return str(target / _place(path))

    _write(shipped.code, contents, target)
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
    """Return the place of a file or folder below another one, which keeps how they lie together."""
    return Path(path).relative_to(Path(path).anchor).as_posix()


def _digest(file: str) -> str | None:
    with suppress(OSError):
        return sha256(_read(file)).hexdigest()
    return None


def _read(file: str) -> bytes:
    with open(file, "rb") as opened:
        return opened.read()


def _write(code: CodeRef, contents: Callable[[], Mapping[str, bytes]], target: Path) -> None:
    """Write the files, at once for all workers that look for them."""
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder, "code")
        for each in (code.folder, *code.path):  # One may have no file of its own.
            (made / _place(each)).mkdir(parents=True, exist_ok=True)
        for file, content in contents().items():
            place = made / _place(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        with suppress(OSError):  # Another worker was faster.
            os.rename(made, target)
