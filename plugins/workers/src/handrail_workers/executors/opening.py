"""Makes executors from their URLs: those of this machine, and those of packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from handrail.errors import ExecutorUrlError
from handrail.packs import default_url, is_local, kind_of
from handrail_workers.executors.cores import usable_cores
from handrail_workers.executors.processes import ProcessExecutor
from handrail_workers.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from handrail.packs import InstalledExecutors
    from handrail_workers.executors.protocol import Executor, Host

_MOST = 1024  # Slots of one machine.
_EXAMPLES = "processes:4, threads:8"


def open_executor(url: str | None, host: Host, packs: InstalledExecutors) -> Executor:
    """Return the executor at a URL, which is not open yet; nothing is started.

    Args:
        url: `processes` or `threads`, each with a number of slots if it is not to have one for each
            core, such as `processes:4`; or the name of an executor of a pack, with what that pack
            expects behind a colon. None for processes.
        host: What the run offers.
        packs: The executors of packs.

    Raises:
        ExecutorUrlError: The URL is not valid, or there is no such executor.
        ExecutorError: The executor needs something that the run does not have.
    """
    if url is None:
        url = default_url()
    if is_local(url):
        return make_local(url, host)  # Without a look at what is installed.
    return cast("Executor", packs.factory(url)(url, host))


def make_local(url: str, host: Host) -> Executor:
    """Make an executor of this machine; the entry points `processes` and `threads`.

    Raises:
        ExecutorUrlError: The URL is not valid.
    """
    slots = _slots(url) or host.slots or usable_cores()
    if kind_of(url) == "threads":
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
