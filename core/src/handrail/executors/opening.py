"""Makes executors from their URLs: those of this machine, and those of packs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from handrail.errors import ExecutorError, ExecutorUrlError, ExitCode
from handrail.executors.cores import usable_cores
from handrail.executors.processes import ProcessExecutor
from handrail.executors.threads import ThreadExecutor
from handrail.packs.executors import InstalledExecutors
from handrail.redact import has_password
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handrail.executors.protocol import AttemptId, Executor, ExecutorFactory, Host, Note

LOCAL = PROCESSES, THREADS = "processes", "threads"
_MOST = 1024  # Slots of one machine.
_EXAMPLES = "processes:4, threads:8"


class FindsExecutors(Protocol):
    """The executors of packs."""

    def names(self) -> Iterable[str]:
        """Return the names of those that can be used."""
        ...

    def find(self, name: str) -> ExecutorFactory | None:
        """Return the factory of an executor, or None."""
        ...


def open_executor(url: str | None, host: Host, packs: FindsExecutors | None = None) -> Executor:
    """Return the executor at a URL, which is not open yet; nothing is started.

    Args:
        url: `processes` or `threads`, each with a number of slots if it is not to have one for each
            core, such as `processes:4`; or the name of an executor of a pack, with what that pack
            expects behind a colon. None for processes.
        host: What the run offers.
        packs: The executors of packs; by default, those of the installed packs.

    Raises:
        ExecutorUrlError: The URL is not valid, or there is no such executor.
        ExecutorError: The executor needs something that the run does not have.
    """
    if url is None:
        url = default_url()
    name = check_url(url, packs)
    if name in LOCAL:
        return _local(name, _slots(url) or host.slots, host)
    packs = packs or _installed()
    factory = packs.find(name)
    if factory is None:
        raise _unknown(name, packs)
    return factory(url, host)


def default_url() -> str:
    """Return the URL of the executor that is used if none is named."""
    return PROCESSES if hasattr(os, "fork") else THREADS


def kind_of(url: str) -> str:
    """Return the kind of the executor at a URL, without the number of its slots."""
    return url.partition(":")[0]


def is_local(url: str) -> bool:
    """Return whether an executor is one of this machine, which works for any run."""
    return kind_of(url) in LOCAL


def check_url(url: str, packs: FindsExecutors | None = None) -> str:
    """Check a URL, as far as that is possible without importing a pack; return its name.

    Raises:
        ExecutorUrlError: It is not valid, or there is no such executor.
    """
    name = kind_of(url)
    if has_password(url):
        raise ExecutorUrlError(
            f"the URL of the executor '{name}' has a password in it, and URLs are shown and "
            "recorded",
            ways_out=("leave it out of the URL, and give it in a variable",),
        )
    if name in LOCAL:
        _slots(url)
    elif name not in (packs or _installed()).names():
        raise _unknown(name, packs)
    return name


def check_executor(url: str, journal: str | None, packs: FindsExecutors | None = None) -> None:
    """Check, before a run begins, that an executor can work for it; nothing is started.

    One of a pack is made for this, and so its pack is imported.

    Args:
        url: The URL of the executor.
        journal: The URL with which other machines open the journal of the run, or None.
        packs: The executors of packs; by default, those of the installed packs.

    Raises:
        ExecutorUrlError: The URL is not valid, or there is no such executor.
        ExecutorError: The executor needs something that the run does not have.
        PackError: The pack of the executor is broken.
    """
    name = check_url(url, packs)
    if name in LOCAL:
        return
    try:
        open_executor(url, _HostToBe(journal), packs)
    except ExecutorError as error:
        vars(error).update(exit_code=ExitCode.USAGE)  # Nothing was begun.
        raise


class _HostToBe:
    """What a run that has not begun offers to an executor; see `executors.Host`."""

    run = slots = None
    inherited = secrets = ()

    def __init__(self, journal: str | None) -> None:
        self.journal = journal

    def record(self, attempt: AttemptId, notes: Sequence[Note]) -> None:
        """Receive nothing: no attempt is made."""

    def heard(self, attempt: AttemptId, tried: int, failed: int) -> None:
        """Receive nothing, likewise."""

    def wrote(self, stream: str, text: str) -> None:
        """Receive nothing, likewise."""


def _unknown(name: str, packs: FindsExecutors | None) -> ExecutorUrlError:
    packs = packs or _installed()
    packs.find(name)  # It knows why it cannot be used, and raises that.
    known = sorted((*LOCAL, *packs.names()))
    return ExecutorUrlError(
        f"there is no executor '{name}'",
        ways_out=(did_you_mean(name, known), f"there are: {', '.join(known)}"),
    )


def _local(name: str, slots: int | None, host: Host) -> Executor:
    # Each imports much that the other does not need.
    if slots is None:
        slots = usable_cores()
    if name == THREADS:
        return ThreadExecutor(slots, host)
    return ProcessExecutor(slots, host)


def _slots(url: str) -> int | None:
    """Return the number of slots in a URL, or None without one."""
    _, colon, text = url.partition(":")
    if not colon:
        return None
    slots = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= slots <= _MOST:
        raise ExecutorUrlError(
            f"'{url}' is no executor: the number of its slots is from 1 to {_MOST}",
            ways_out=(f"for example: {_EXAMPLES}",),
        )
    return slots


def _installed() -> FindsExecutors:
    from handrail.packs.installed import installed_packs  # noqa: PLC0415 - likewise

    return InstalledExecutors(lambda: installed_packs().records)
