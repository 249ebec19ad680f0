"""Remembers what was sent of a run, in a small file beside its journal: nothing is sent twice.

A line is added before a batch is sent, and another when the answer is there. A process that dies in
between leaves the batch in doubt: nobody can say whether it has arrived, so it is not sent again
unless somebody asks for that. Processes that send of one run take turns.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_otel.ids import Remote, remote_of

if TYPE_CHECKING:
    from handrail.journal import Journal

try:
    import fcntl
except ImportError:  # pragma: no cover - processes of such a system do not take turns
    fcntl = None  # type: ignore[assignment]


class Sent:
    """What was sent of a run.

    Args:
        file: The file; it is made when something is sent.

    Attributes:
        parent: The span of another program that the run belongs to, or None.
        doubtful: What was being sent when a process died.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream: int | None = None
        self._read = 0
        self._known: set[str] = set()
        self._trying: tuple[str, ...] = ()
        self._is_new = True
        self.parent: Remote | None = None
        self.doubtful: set[str] = set()

    @contextmanager
    def locked(self, parent: Remote | None = None) -> Generator[None]:
        """Let this process alone send for the block; others wait.

        Args:
            parent: The span that the run belongs to, if that is not known yet.

        Raises:
            OSError: The file cannot be written.
        """
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._stream = os.open(self._file, flags, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(self._stream, fcntl.LOCK_EX)
            self._catch_up()
            if self._is_new:
                self._write(f"parent {parent if parent is not None else '-'}")
                self.parent, self._is_new = parent, False
            yield
        finally:
            os.close(self._stream)
            self._stream = None

    def read(self) -> bool:
        """Read the file without taking a turn; return whether it is there."""
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        self._take(text.splitlines())
        return not self._is_new

    def knows(self, key: str) -> bool:
        """Return whether something was sent, or is in doubt."""
        return key in self._known

    def known(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, without it."""
        return [key.removeprefix(prefix) for key in self._known if key.startswith(prefix)]

    def tries(self, keys: Collection[str]) -> None:
        """Note that these are about to be sent."""
        self._write(f"? {' '.join(keys)}")
        self._trying = tuple(keys)
        self._known |= set(keys)

    def arrived(self) -> None:
        """Note that those that were about to be sent have arrived."""
        self._write("+")
        self.doubtful -= set(self._trying)
        self._trying = ()

    def refused(self) -> None:
        """Note that those that were about to be sent have not arrived."""
        self._write("-")
        self._known -= set(self._trying)
        self.doubtful -= set(self._trying)
        self._trying = ()

    def in_doubt(self) -> None:
        """Leave those that were about to be sent in doubt."""
        self.doubtful |= set(self._trying)
        self._trying = ()

    def add(self, key: str) -> None:
        """Note that something was handed over."""
        self._write(f"! {key}")
        self._known.add(key)

    def take_back(self, key: str) -> None:
        """Note that something that was handed over was refused."""
        self._write(f"~ {key}")
        self._known.discard(key)

    def forget_doubts(self) -> None:
        """Let what is in doubt be sent again."""
        self._known -= self.doubtful
        self.doubtful = set()

    def _write(self, line: str) -> None:
        assert self._stream is not None
        data = f"{line}\n".encode()
        os.write(self._stream, data)
        self._read += len(data)

    def _catch_up(self) -> None:
        """Read what other processes have added."""
        assert self._stream is not None
        size = os.fstat(self._stream).st_size
        if size <= self._read:
            return
        self._settle()
        data = os.pread(self._stream, size - self._read, self._read)
        # A process that died while it wrote has left a part of a line.
        if not data.endswith(b"\n"):
            os.write(self._stream, b"\n")
            data += b"\n"
        self._read += len(data)
        self._take(data.decode("utf-8", "replace").splitlines())
        self._settle()

    def _settle(self) -> None:
        self.doubtful |= set(self._trying)
        self._trying = ()

    def _take(self, lines: Iterable[str]) -> None:
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "parent":
                self.parent, self._is_new = remote_of(rest), False
            elif kind == "?":
                self._settle()
                self._trying = tuple(rest.split())
                self._known |= set(self._trying)
            elif kind == "+":
                self.doubtful -= set(self._trying)
                self._trying = ()
            elif kind == "-":
                self._known -= set(self._trying)
                self.doubtful -= set(self._trying)
                self._trying = ()
            elif kind == "!":
                self._known.add(rest)
            elif kind == "~":
                self._known.discard(rest)


def sent_of(journal: Journal, uid: str) -> Sent:
    """Return what was sent of a run.

    Args:
        journal: Its journal.
        uid: Its UUID.
    """
    return Sent(folder_of(getattr(journal, "address", journal.shown)) / uid)


def folder_of(address: str) -> Path:
    """Return the folder that remembers what was sent of the runs of a journal.

    It is beside a journal in a file; of others, in the folder for the state of programs.

    Args:
        address: The path of the file, or a URL.
    """
    if os.path.isabs(address):
        file = Path(address)
        return file.parent / ("otel" if file.name == "runs.db" else f"{file.name}-otel")
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "handrail" / "otel"
