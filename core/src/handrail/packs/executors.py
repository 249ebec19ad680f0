"""The executors that installed packs offer; nothing is imported before one is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from handrail.errors import ExecutorError, ExecutorUrlError, ExitCode, NotFoundError
from handrail.redact import has_password

if TYPE_CHECKING:
    from handrail.packs.catalog import Catalog

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
        catalog: Returns what the installed packs offer.
        default: The URL of the executor if none is named; None for that of this machine.
    """

    def __init__(self, catalog: Callable[[], Catalog], default: str | None = None) -> None:
        self.default = default
        self._catalog = catalog

    def with_default(self, default: str | None) -> InstalledExecutors:
        """Return the same with another default, unless that is None."""
        return self if default is None else InstalledExecutors(self._catalog, default)

    def factory(self, url: str) -> Callable[[str, Any], Any]:
        """Return the factory of the executor at a URL; imports only its pack.

        Raises:
            ExecutorUrlError: The URL is not valid; or no pack provides such an executor, or the
                one that does is not on.
            AmbiguousNameError: Several packs offer it.
            PackError: It is broken or cannot be imported.
        """
        name = kind_of(url)
        if has_password(url):
            raise ExecutorUrlError(
                f"the URL of the executor '{name}' has a password in it, and URLs are shown and "
                "recorded",
                ways_out=("leave it out of the URL, and give it in a variable",),
            )
        try:
            factory: Callable[[str, Any], Any] = self._catalog().load("executors", name)
        except NotFoundError as error:
            raise ExecutorUrlError(error.message, ways_out=error.ways_out) from None
        return factory

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
