"""The executors that installed packs offer; nothing is imported before one is used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import ExecutorError, ExecutorUrlError, ExitCode
from handrail.packs.factories import factory_of
from handrail.packs.ours import EXECUTORS
from handrail.redact import has_password
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.packs.record import PackRecord

KIND = "executors"  # Of entry points: `handrail.executors`.
LOCAL = PROCESSES, THREADS = "processes", "threads"


def default_url() -> str:
    """Return the URL of the executor that is used if none is named."""
    return PROCESSES if hasattr(os, "fork") else THREADS


def kind_of(url: str) -> str:
    """Return the kind of the executor at a URL, without the number of its slots."""
    return url.partition(":")[0]


def is_local(url: str) -> bool:
    """Return whether an executor is one of this machine, which works for any run."""
    return kind_of(url) in LOCAL


class InstalledExecutors:
    """Finds the factories of executors.

    Args:
        records: Returns the installed packs.
        default: The URL of the executor if none is named; None for that of this machine.
    """

    def __init__(
        self, records: Callable[[], Iterable[PackRecord]], default: str | None = None
    ) -> None:
        self.default = default
        self._records = records

    def with_default(self, default: str | None) -> InstalledExecutors:
        """Return the same with another default, unless that is None."""
        return self if default is None else InstalledExecutors(self._records, default)

    def factory(self, url: str) -> Callable[[str, Any], Any]:
        """Return the factory of the executor at a URL; imports only its pack.

        Raises:
            ExecutorUrlError: The URL is not valid; or no pack provides such an executor, or the
                one that does is not on.
            AmbiguousNameError: Several packs offer it.
            PackError: It cannot be imported.
        """
        name = kind_of(url)
        if has_password(url):
            raise ExecutorUrlError(
                f"the URL of the executor '{name}' has a password in it, and URLs are shown and "
                "recorded",
                ways_out=("leave it out of the URL, and give it in a variable",),
            )

        def refused(hints: Sequence[str]) -> ExecutorUrlError:
            what = f"no installed pack provides the executor '{name}'"
            return ExecutorUrlError(what, ways_out=hints)

        found = factory_of(self._records(), KIND, name, EXECUTORS, refused)
        if found is None:
            used = [record for record in self._records() if record.is_used]
            known = sorted(entry.name for record in used for entry in record.offered(KIND))
            near = did_you_mean(name, {*known, *EXECUTORS})
            there = f"there are: {', '.join(known) or 'none'}"
            raise ExecutorUrlError(f"there is no executor '{name}'", ways_out=(near, there))
        return cast("Callable[[str, Any], Any]", found)

    def check(self, url: str, journal: str | None) -> None:
        """Check, before a run begins, that an executor can work for it; nothing is started.

        One is made for this.

        Args:
            url: The URL of the executor.
            journal: The URL with which other machines open the journal of the run, or None.

        Raises:
            ExecutorUrlError: The URL is not valid, or there is no such executor.
            ExecutorError: The executor needs something that the run does not have.
            PackError: The pack of the executor is broken.
        """
        factory = self.factory(url)
        try:
            factory(url, _HostToBe(journal))
        except ExecutorError as error:
            vars(error).update(exit_code=ExitCode.USAGE)  # Nothing was begun.
            raise


class _HostToBe:
    """What a run that has not begun offers to an executor, which makes no attempt for it."""

    run = slots = None
    inherited = secrets = ()

    def __init__(self, journal: str | None) -> None:
        self.journal = journal
