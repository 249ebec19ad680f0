"""Says what is wrong with a file before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from handrail_upload.manifest import SourceFile
from handrail_upload.specification import Specification


class Validation(Protocol):
    """The strategy of `validate_files`: what is wrong with a file."""

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        """Yield one sentence for each thing that is wrong with `file`; none for a valid one."""
        ...


@dataclass(frozen=True, slots=True)
class FileValidation:
    """Looks at size and extension, as the specification has them; the content is not read.

    Attributes:
        allow_empty: Whether a file may be empty.
    """

    allow_empty: bool = False

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        """Yield what is wrong with `file`."""
        if file.size == 0 and not self.allow_empty:
            yield f"{file.name} is empty"
        elif specification is not None:
            yield from specification.problems(file.role, file.size, file.name)
