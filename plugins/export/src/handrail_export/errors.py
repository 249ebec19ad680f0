"""The errors of exports, each with a message and ways out."""

from __future__ import annotations

import handrail_storage
from handrail.errors import HandrailError


class ExportError(HandrailError, RuntimeError):
    """Base of the errors of this pack."""

    code = "export"


class SourceError(ExportError, ValueError):
    """The source cannot be opened or read, or a query of it makes no sense."""

    code = "export-source"


class ChoiceError(ExportError, ValueError):
    """The columns, the filter or the partitions that were asked for do not fit the source."""

    code = "export-choice"


class FormatError(ExportError, ValueError):
    """There is no such format, or it cannot take what it is given."""

    code = "export-format"


class InvalidPicturesError(ExportError, ValueError):
    """Pictures of a collection are missing or broken."""

    code = "export-pictures"


class StorageError(handrail_storage.StorageError, ExportError):
    """The target, or where the pictures lie, refused or failed."""

    code = "export-storage"


class PictureChangedError(StorageError):
    """A picture is not what it was when it was found, or is gone."""

    code = "export-picture-changed"


class ConflictError(ExportError):
    """Something else is already stored where this run wants to write."""

    code = "export-conflict"


class ContainmentError(handrail_storage.ContainmentError, ExportError):
    """Something recorded of a run would lead an undo, or a resumed run, elsewhere."""

    code = "export-containment"
