"""Remembers what was sent of a run, in a small file beside its journal: nothing is sent twice.

A line is added before a batch is sent, when it is on its way, and when the answer is there. What a
process that died was about to send was not sent. What was on its way is in doubt: it has arrived,
but nobody can say whether it was taken, so it is not sent again unless somebody asks for that.
Processes that send of one run take turns.
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
        doubtful: What was on its way when a process died, or has had no answer.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stream: int | None = None
        self._read = 0
        self._known: set[str] = set()
        self._trying: tuple[str, ...] = ()
        self._is_on_the_way = False
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
        self._note(f"? {' '.join(keys)}")

    def on_the_way(self) -> None:
        """Note that those that were about to be sent arrive, even if this process is killed."""
        self._note("> ")

    def arrived(self) -> None:
        """Note that those that were about to be sent were taken."""
        self._note("+ ")

    def refused(self) -> None:
        """Note that those that were about to be sent were not taken."""
        self._note("- ")

    def in_doubt(self) -> None:
        """Leave those that were about to be sent in doubt."""
        self._settle()

    def add(self, key: str) -> None:
        """Note that something was handed over."""
        self._note(f"! {key}")

    def take_back(self, key: str) -> None:
        """Note that something that was handed over was refused."""
        self._note(f"~ {key}")

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

    def _note(self, line: str) -> None:
        self._write(line)
        self._take([line])

    def _settle(self) -> None:
        """Decide about what was about to be sent when its process died, or gave up waiting."""
        if self._is_on_the_way:
            self.doubtful |= set(self._trying)
        else:
            self._known -= set(self._trying)
        self._trying = ()

    def _take(self, lines: Iterable[str]) -> None:
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "parent":
                self.parent, self._is_new = remote_of(rest), False
            elif kind == "?":
                self._settle()
                self._trying, self._is_on_the_way = tuple(rest.split()), False
                self._known |= set(self._trying)
            elif kind == ">":
                self._is_on_the_way = True
            elif kind in "+-":
                self.doubtful -= set(self._trying)
                if kind == "-":
                    self._known -= set(self._trying)
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
    return Sent(folder_of(journal.address) / uid)


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
