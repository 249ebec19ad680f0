"""Makes executors from their URLs: those of this machine, and those of packs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from handrail.errors import ExecutorError
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handrail.executors.protocol import Executor, ExecutorFactory, Host

VARIABLE = "HANDRAIL_EXECUTOR"
"""The environment variable that names the executor of every call."""

PROCESSES, THREADS = "processes", "threads"
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
        ExecutorError: The URL is not valid, or there is no such executor.
    """
    if url is None:
        url = PROCESSES if hasattr(os, "fork") else THREADS
    name, _, rest = url.partition(":")
    if name in (PROCESSES, THREADS):
        slots = _slots(url, rest) if ":" in url else host.slots
        return _local(name, slots, host)
    if packs is None:
        packs = _installed()
    factory = packs.find(name)
    if factory is None:
        known = [PROCESSES, THREADS, *packs.names()]
        raise ExecutorError(
            f"there is no executor '{name}'",
            ways_out=(did_you_mean(name, known), f"there are: {', '.join(sorted(known))}"),
        )
    return factory(url, host)


def _local(name: str, slots: int | None, host: Host) -> Executor:
    # Each imports much that the other does not need.
    if slots is None:
        from handrail.executors.cores import usable_cores  # noqa: PLC0415 - seldom

        slots = usable_cores()
    if name == THREADS:
        from handrail.executors.threads import ThreadExecutor  # noqa: PLC0415 - see above

        return ThreadExecutor(slots, host)
    from handrail.executors.processes import ProcessExecutor  # noqa: PLC0415 - see above

    return ProcessExecutor(slots, host)


def _slots(url: str, text: str) -> int:
    slots = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if not 1 <= slots <= _MOST:
        raise ExecutorError(
            f"'{url}' is no executor: the number of its slots is from 1 to {_MOST}",
            ways_out=(f"for example: {_EXAMPLES}",),
        )
    return slots


def _installed() -> FindsExecutors:
    from handrail.packs.executors import InstalledExecutors  # noqa: PLC0415 - for those of packs
    from handrail.packs.installed import installed_packs  # noqa: PLC0415 - likewise

    return InstalledExecutors(lambda: installed_packs().records)
