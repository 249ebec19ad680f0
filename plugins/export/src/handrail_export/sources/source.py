"""What an export asks of a source, whatever is behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from handrail_export.arrow import BatchReader
from handrail_export.errors import SourceError
from handrail_export.names import said


class Source(ABC):
    """Rows that can be read once, a batch at a time.

    Attributes:
        shown: What people are told about where the rows come from.
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
        """What stands after FROM where the engine reads by itself."""
        raise NotImplementedError

    @property
    def paths(self) -> tuple[str, ...]:
        """The files and folders that the engine has to read."""
        return ()

    def estimate(self) -> int | None:
        """Return about how many rows there are, where that costs next to nothing."""
        return None

    def check(self, columns: Sequence[str]) -> None:  # noqa: B027 - most have no doubts
        """See whether these can be the columns.

        Raises:
            SourceError: They cannot.
        """

    def failure(self, error: BaseException) -> SourceError:
        """Return what a library has raised while it read, as an error for people."""
        return SourceError(f"{self.shown}: {said(error)}")

    def close(self) -> None:  # noqa: B027 - files have nothing to do
        """Let go of what is open; harmless to call again."""
