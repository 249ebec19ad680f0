"""Source: the interface of all sources of an export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handrail_export.arrow import BatchReader
from handrail_export.errors import SourceError
from handrail_export.names import said


class Source(ABC):
    """Rows that can be read once, a batch at a time.

    Attributes:
        shown: Description of the source, for people.
    """

    shown: str

    @abstractmethod
    def open(self) -> BatchReader | None:
        """Start to read; None for files, which the engine reads by itself.

        Raises:
            SourceError: There is nothing, or it cannot be read.
        """

    @property
    def relation(self) -> str:
        """The relation for FROM, if the engine reads by itself."""
        raise NotImplementedError

    @property
    def paths(self) -> tuple[str, ...]:
        """The files and folders that the engine reads."""
        return ()

    @property
    def statement(self) -> str:
        """A query of all rows that names repeated columns as they are; empty if there is none."""
        return ""

    @property
    def views(self) -> Mapping[str, str]:
        """The tables of a query over files, by name, each a relation for FROM."""
        return {}

    @property
    def registered(self) -> Mapping[str, Any]:
        """Datasets of Arrow that the engine reads, by the names in `relation` and `views`."""
        return {}

    @property
    def values(self) -> Sequence[object]:
        """The values of the places `$1`, `$2`... in `relation`."""
        return ()

    def notes(self) -> Iterable[str]:
        """Return what people should know of the columns, once it is open; one line each."""
        return ()

    def estimate(self) -> int | None:
        """Return the approximate number of rows, if that is cheap."""
        return None

    def check(self, columns: Sequence[str]) -> None:  # noqa: B027 - most have no doubts
        """Check that these can be the columns.

        Raises:
            SourceError: The names cannot be those of the columns.
        """

    def failure(self, error: BaseException) -> SourceError:
        """Convert an exception of a library during reading to an error for people."""
        return SourceError(f"{self.shown}: {said(error)}")

    def close(self) -> None:  # noqa: B027 - files have nothing to do
        """Close all open objects. Calling it twice is harmless."""
