"""What runs on the nodes: one chunk at a time, under the lock of that chunk in the journal."""

from __future__ import annotations

import faulthandler
import io
import os
import signal
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from handrail.errors import ExecutorError, JournalError, LeaseLostError, describe
from handrail.frozen import frozen
from handrail.journal import open_journal
from handrail_ray.cluster import ray_module
from handrail_ray.shipped import Shipped, unpack
from handrail_ray.versions import differences, versions
from handrail_workers import Failed, Lost, Outcome, masked, prepare, work

if TYPE_CHECKING:
    from handrail.journal import ChunkSession, Journal
    from handrail_workers import ChunkCall, CodeRef, Note

_PRINTED = 64_000  # Characters of what a chunk prints that are kept, the first ones.


@frozen
class Job:
    """What all chunks of a step have in common.

    Attributes:
        journal: The URL of the journal.
        secrets: The variables that have secrets of the run.
        versions: What is installed on the machine of the run.
        shipped: The code.
        contents: The reference of Ray to the content of its files.
        beat: Seconds between signs of life.
        patience: Seconds without a sign of life that was answered, after which a worker ends.
    """

    journal: str
    secrets: tuple[str, ...]
    versions: Mapping[str, str]
    shipped: Shipped
    contents: Any
    beat: float
    patience: float


class JobRef(NamedTuple):
    """What goes along with each chunk; a worker asks for the rest once.

    Attributes:
        name: The same only for the same job.
        job: The reference of Ray to it.
    """

    name: str
    job: Any


class Reply(NamedTuple):
    """What comes back from a chunk.

    Attributes:
        outcome: How it ended.
        stdout: What it printed.
        stderr: What it printed to standard error.
    """

    outcome: Outcome
    stdout: str = ""
    stderr: str = ""


def open_shared_journal(url: str) -> Journal:
    """Open a journal that other machines reach, with the pack for it.

    Raises:
        ExecutorError: It is a file.
        JournalError: It cannot be used.
        PackError: The pack's journal is for another version of Handrail.
    """
    journal = open_journal(url, create=False)
    if journal.url is not None:
        return journal
    journal.close()
    raise ExecutorError(
        f"workers on other machines cannot write to the journal {url}",
        ways_out=(
            "keep runs in PostgreSQL: pip install handrail-postgres, here and on the nodes",
            "or stay on this machine: --executor processes",
        ),
    )


# A worker process works on one chunk at a time, of any run that this cluster works for.
_sessions: dict[str, ChunkSession] = {}  # By journal.
_known: dict[str, tuple[Job, CodeRef]] = {}  # By the name of the job, for which it is prepared.


def probe(ref: JobRef) -> str:
    """Return why this node cannot work on chunks, or nothing."""
    try:
        job, _ = _prepared(ref)
        _connected(job).check()
    except (ExecutorError, JournalError) as error:
        return str(error)
    return ""


def work_on(ref: JobRef, call: ChunkCall, token: int) -> Reply:
    """Work on a chunk in this process.

    Args:
        ref: What the chunks have in common.
        call: The chunk.
        token: With which it begins, once.
    """
    attempt = call.attempt
    try:
        job, code = _prepared(ref)
        session = _begun(job, call, token)
    except LeaseLostError as error:
        return Reply(Lost(attempt=attempt, reason=f"it did not begin: {error.message}"))
    except (ExecutorError, JournalError) as error:
        return Reply(Failed(attempt=attempt, error=error.message))
    stdout, stderr = _Printed(), _Printed()
    without_secrets = masked(job.secrets)
    with _alive(session, job), redirect_stdout(stdout), redirect_stderr(stderr):
        outcome = work(code, call, record=lambda notes: _record(session, without_secrets(notes)))
    try:
        session.end()
    except JournalError as error:
        # Somebody else may have had the lock before the last item had ended.
        outcome = Lost(attempt=attempt, reason=error.message)
    return Reply(outcome, stdout.getvalue(), stderr.getvalue())


def kill(pid: int) -> None:
    """Kill a worker on the node of this one, which may be stopped."""
    with suppress(OSError):
        # The number of a process may be that of another one by now.
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::"):
            os.kill(pid, signal.SIGKILL)


def _prepared(ref: JobRef) -> tuple[Job, CodeRef]:
    if ref.name not in _known:
        ray = ray_module()

        job: Job = ray.get(ref.job)
        context = ray.get_runtime_context()
        if differ := differences(job.versions, versions()):
            raise ExecutorError(
                f"a node has other versions than the machine of the run: {differ}",
                ways_out=("install the same on all nodes, or build one image for all",),
            )
        below = Path(context.get_temp_dir(), context.get_session_name())
        code = unpack(job.shipped, below, lambda: ray.get(job.contents))
        prepare(code)
        _known[ref.name] = job, code
    return _known[ref.name]


def _begun(job: Job, call: ChunkCall, token: int) -> ChunkSession:
    try:
        session = _connected(job)
        session.begin(call.attempt, token)
    except LeaseLostError:
        raise
    except JournalError:
        # The connection may have been lost since the last chunk, and with it nothing.
        if job.journal not in _sessions:
            raise
        _sessions.pop(job.journal).close()
        session = _connected(job)
        session.begin(call.attempt, token)
    return session


def _connected(job: Job) -> ChunkSession:
    if job.journal not in _sessions:
        ray = ray_module()

        for url in list(_sessions):
            _sessions.pop(url).close()
        journal = open_shared_journal(job.journal)
        try:
            label = f"{os.getpid()} {ray.get_runtime_context().get_node_id()[:40]}"
            _sessions[job.journal] = journal.chunk_session(label)
        finally:
            journal.close()
    return _sessions[job.journal]


def _record(session: ChunkSession, notes: Sequence[Note]) -> None:
    try:
        session.record(notes)
    except LeaseLostError as error:
        _end(error)
    except JournalError:
        # The function may go on without these notes, but not without the lock.
        try:
            session.check()
        except JournalError as error:
            _end(error)
        raise


@contextmanager
def _alive(session: ChunkSession, job: Job) -> Generator[None, None, None]:
    """Give signs of life; end this process when one is not answered, or the lock is lost."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(job.beat):
            try:
                session.check()
            except JournalError as error:
                _end(error)
            watch()

    def watch() -> None:
        # In a thread without Python, so that nothing of a function can hold it up.
        if not over.is_set():
            faulthandler.dump_traceback_later(job.patience, exit=True, file=nowhere)

    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        watch()
        thread = threading.Thread(target=beat, name="handrail-signs-of-life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            faulthandler.cancel_dump_traceback_later()


def _end(error: JournalError) -> NoReturn:
    """End this process at once: another attempt at the chunk may begin."""
    with suppress(OSError):
        os.write(2, f"handrail: this worker ends: {describe(error)}\n".encode())
    os._exit(1)


class _Printed(io.StringIO):
    def write(self, text: str, /) -> int:
        super().write(text[: max(0, _PRINTED - self.tell())])
        return len(text)
