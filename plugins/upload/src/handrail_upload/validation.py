"""The strategy of `validate_files`: checks a file before it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from handrail.frozen import frozen
from handrail_upload.manifest import SourceFile

if TYPE_CHECKING:
    from handrail_upload.specification import Specification


class Validation(Protocol):
    """The strategy of `validate_files`: yields the problems of a file."""

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        """Yield one sentence for each problem of `file`; none for a valid file."""
        ...


@frozen(kw_only=False)
class FileValidation:
    """Looks at size and extension, as the specification has them; the content is not read.

    Attributes:
        allow_empty: Whether a file may be empty.
    """

    allow_empty: bool = False

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        """Yield the problems of `file`."""
        if file.size == 0 and not self.allow_empty:
            yield f"{file.name} is empty"
        elif specification is not None:
            yield from specification.role(file.role).problems(file.name, file.size)
