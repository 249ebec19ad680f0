"""The errors of uploads, each with a message and ways out."""

from __future__ import annotations

from collections.abc import Iterable

import handrail_storage
from handrail.errors import HandrailError


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


class FileChangedError(SourceError):
    """A file has changed or vanished since it was found.

    Attributes:
        how: What became of it, such as `it grew`.
    """

    code = "upload-file-changed"

    def __init__(self, message: str, *, how: str = "", ways_out: Iterable[str] = ()) -> None:
        super().__init__(message, ways_out=ways_out)
        self.how = how


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
