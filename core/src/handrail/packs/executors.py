"""The executors that installed packs offer; nothing is imported before one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from handrail.errors import ExecutorUrlError
from handrail.packs.factories import factory_of
from handrail.packs.ours import EXECUTORS

if TYPE_CHECKING:
    from handrail.executors.protocol import ExecutorFactory
    from handrail.packs.record import PackRecord

KIND = "executors"  # Of entry points: `handrail.executors`.


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

    def names(self) -> list[str]:
        """Return the names of those that can be used."""
        return [
            entry.name
            for record in self._records()
            if record.is_used
            for entry in record.offered(KIND)
        ]

    def find(self, name: str) -> ExecutorFactory | None:
        """Return the factory of an executor, or None; imports only its pack.

        Raises:
            ExecutorUrlError: The pack that is known for it is not installed or not on.
            AmbiguousNameError: Several packs offer it.
            PackError: It cannot be imported.
        """

        def refused(hints: Sequence[str]) -> ExecutorUrlError:
            what = f"no installed pack provides the executor '{name}'"
            return ExecutorUrlError(what, ways_out=hints)

        factory = factory_of(self._records(), KIND, name, EXECUTORS, refused)
        return cast("ExecutorFactory | None", factory)
