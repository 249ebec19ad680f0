"""Decides whether a file can be trusted: by its owner, and by who may write it.

Trusted owners are this user, root, the user who called `sudo`, and the owner of the working folder.
A file that everyone may write is not trusted. The variable `HANDRAIL_SAFE_FOLDERS` names folders
below which everything is trusted.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.frozen import frozen
from handrail.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from handrail.errors import HandrailError

SAFE_FOLDERS = "HANDRAIL_SAFE_FOLDERS"
EVERYTHING = "*"
MOST_BYTES = 16 << 20
"""The size of the largest file that is read as settings, params or a lock."""


@frozen
class Distrust:
    """The reason why a file or folder is not trusted.

    Attributes:
        path: Its path.
        folder: The folder to declare safe so that it is trusted.
        owner: Its owner, such as `ada (uid 1001)`; empty if everyone may write it.
    """

    path: str
    folder: str
    owner: str = ""

    @property
    def message(self) -> str:
        """One sentence for display."""
        if self.owner:
            return f"{self.path} belongs to {self.owner}, whose files are not used here"
        return f"everyone may write {self.path}, so it is not used"

    @property
    def ways_out(self) -> tuple[str, ...]:
        """How to inspect the file and how to make it trusted."""
        known = os.environ.get(SAFE_FOLDERS)
        folders = f"{known}{os.pathsep}{self.folder}" if known else self.folder
        safe = f"{SAFE_FOLDERS}={quote(folders)} handrail ..."
        if self.owner:
            return (f"read what is there first; if you trust it:  {safe}",)
        return (
            f"check whether it was changed, then:  chmod o-w {quote(self.path)}",
            f"or, if nobody else can reach it:  {safe}",
        )

    def problem(self, *ways_out: str, code: str) -> Problem:
        """Return a problem with this message, and with further ways out."""
        origins = (Origin(file=self.path),)
        ways = (*self.ways_out, *ways_out)
        return Problem(code=code, message=self.message, origins=origins, ways_out=ways)


def distrust(path: str | os.PathLike[str], opened: os.stat_result | None = None) -> Distrust | None:
    """Return why a file or folder is not trusted; None if it is trusted or does not exist.

    Of a link, both the link and its target must be trusted.

    Args:
        path: The file or folder.
        opened: The `fstat` result of the open file, in case others may replace the file.
    """
    if not hasattr(os, "geteuid"):
        return None  # On Windows, owners are not numbers, and permissions of folders protect files.
    where = os.fspath(path)
    trusted = _trusted_owners()
    for found in _found(where, opened):
        is_link = stat.S_ISLNK(found.st_mode)
        is_foreign = found.st_uid not in trusted
        for_everyone = not is_link and found.st_mode & stat.S_IWOTH
        if not is_foreign and not for_everyone:
            continue
        real = _real_link(where) if is_link else os.path.realpath(where)
        if not _is_safe(real):
            return Distrust(
                path=where,
                folder=real if stat.S_ISDIR(found.st_mode) else os.path.dirname(real),
                owner=_named(found.st_uid) if is_foreign else "",
            )
    return None


def refuse(*paths: str | os.PathLike[str], error: type[HandrailError]) -> None:
    """Raise `error` for the first of `paths` that is not trusted."""
    for path in paths:
        found = distrust(path)
        if found is not None:
            raise error(found.message, ways_out=found.ways_out)


def read_file(path: str | os.PathLike[str]) -> tuple[bytes, Distrust | None]:
    """Return the contents of a file and why it is not trusted, determined on the open file.

    Raises:
        OSError: The file cannot be read, is a pipe or a device, or is larger than `MOST_BYTES`.
    """
    # Opening a pipe would block.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB", os.fspath(path))
        return raw, distrust(path, found)


def safe_folder_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each safe folder whose path is relative to the working folder."""
    return [
        Problem(
            code="bad-setting",
            message=f"{SAFE_FOLDERS}: '{each}' is not an absolute path",
            origins=(Origin(file=SAFE_FOLDERS),),
            ways_out=(f"{SAFE_FOLDERS}={os.path.abspath(each)}",),
        )
        for each in _named_folders(environ)
        if each != EVERYTHING and not os.path.isabs(each)
    ]


def _trusted_owners() -> set[int]:
    own = os.geteuid()
    owners = {own, 0}
    caller = os.environ.get("SUDO_UID", "")
    if own == 0 and caller.isdecimal():
        owners.add(int(caller))
    with suppress(OSError):  # The folder may be gone.
        owners.add(os.stat(os.curdir).st_uid)
    return owners


def _found(path: str, opened: os.stat_result | None) -> Iterator[os.stat_result]:
    """Yield the stat results of a link itself and of its target."""
    # A file that we cannot stat cannot be opened either.
    with suppress(OSError, ValueError):
        itself = os.lstat(path)
        if stat.S_ISLNK(itself.st_mode):
            yield itself
    with suppress(OSError, ValueError):
        yield os.stat(path) if opened is None else opened


def _real_link(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _is_safe(path: str) -> bool:
    for folder in _named_folders(os.environ):
        if folder == EVERYTHING:
            return True
        if os.path.isabs(folder):
            above = os.path.realpath(folder)
            if path == above or path.startswith(os.path.join(above, "")):
                return True
    return False


def _named_folders(environ: Mapping[str, str]) -> list[str]:
    named = environ.get(SAFE_FOLDERS, "").split(os.pathsep)
    return [os.path.expanduser(each) for each in named if each]


def _named(uid: int) -> str:
    try:
        import pwd  # noqa: PLC0415 - only if there is a problem

        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except (ImportError, KeyError):
        return f"uid {uid}"
