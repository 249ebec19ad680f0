"""The errors of uploads, each with a message and ways out."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Self

import handrail_storage
from handrail.errors import HandrailError
from handrail_upload.names import readable

_LONGEST = 240  # Characters of a recorded value that are shown.
_UNDOING = {
    "catalogue": "undo",
    "claim": "undo what is claimed by",
    "claimed": "undo what is claimed by",
    "mark": "undo what is marked",
    "rollback_data": "undo",
    "rows": "undo",
    "target": "undo what is at",
}
"""The action of the undo for each note; for others it is `delete`."""


class UploadError(HandrailError, RuntimeError):
    """Base of the errors of this pack."""

    code = "upload"


class MetadataError(UploadError, ValueError):
    """A metadata file cannot be read, is too large, or makes no sense."""

    code = "upload-metadata"


class SpecificationError(UploadError, ValueError):
    """The specification of a collection cannot be read or makes no sense."""

    code = "upload-specification"


class SourceError(UploadError, ValueError):
    """The source cannot be read, or has nothing to upload."""

    code = "upload-source"


class InvalidFilesError(UploadError, ValueError):
    """Files are not what the specification or the limits ask for.

    Attributes:
        problems: One sentence for each file, up to a hundred.
    """

    code = "upload-invalid-files"

    def __init__(
        self, message: str, *, problems: Iterable[str] = (), ways_out: Iterable[str] = ()
    ) -> None:
        super().__init__(message, ways_out=ways_out)
        self.problems = tuple(problems)


class StorageError(handrail_storage.StorageError, UploadError):
    """The target refused or failed; the message has the key and the server's words."""

    code = "upload-storage"


class ConflictError(UploadError):
    """Something else is already stored under keys that this run wants to write."""

    code = "upload-conflict"


class CatalogueError(UploadError):
    """The catalogue cannot be opened, read or written."""

    code = "upload-catalogue"


class ContainmentError(handrail_storage.ContainmentError, UploadError, ValueError):
    """A journal names something that lies outside of where its run worked, or makes no sense."""

    code = "upload-containment"

    @classmethod
    def about_note(cls, note: str, value: object, why: str) -> Self:
        """Return the error that says what an undo would have done with a recorded value."""
        return cls(
            f"the journal says to {_UNDOING.get(note, 'delete')} {shown(value)} (note '{note}'), "
            f"but {why}; nothing of it was touched",
            ways_out=("look at who has written this journal; the rest of the step was undone",),
        )

    @classmethod
    def about_run(cls, name: object) -> Self:
        """Return the error that says that a run has no id."""
        return cls(
            f"the journal says that the run is {shown(name)}, which is no id of a run",
            ways_out=("look at who has written this journal; nothing was touched",),
        )


def shown(value: object) -> str:
    """Return a value of a journal as people may see it: short, and without control characters."""
    text = readable(value if isinstance(value, str) and value else reprlib.repr(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
