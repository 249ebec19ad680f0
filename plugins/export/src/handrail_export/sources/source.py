"""Source: the interface of all sources of an export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

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
