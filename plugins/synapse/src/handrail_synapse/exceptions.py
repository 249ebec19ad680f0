"""The errors that a client raises, and those of uploads, for plugins that catch them."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """An error of the client.

    Args:
        status_code: The status that the service answered, or None.
        detail: What it said.
    """

    def __init__(self, status_code: int | None = None, detail: Any = None) -> None:
        self.status_code = status_code
        self.detail = detail
        super().__init__(f"{status_code}: {detail}" if status_code is not None else detail or "")


class ClientConnectionError(ClientError):
    """The service could not be reached."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(None, detail)


class ClientResponseIncompleteError(ClientConnectionError):
    """The answer broke off, so that what was asked for may have been done."""


class ClientTimeoutError(ClientError):
    """The service did not answer in time."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(408, detail)


class HTTPError(ClientError):
    """The service answered with an error."""


class AuthenticationError(HTTPError):
    """The service does not know the caller."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(401, detail)


class AuthorizationError(HTTPError):
    """The caller may not do that."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(403, detail)


class NotFoundError(HTTPError):
    """There is no such thing."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(404, detail)


class ValidationError(HTTPError):
    """The service does not accept what it was given."""

    def __init__(self, status_code: int = 400, detail: Any = None) -> None:
        super().__init__(status_code, detail)


class RateLimitError(HTTPError):
    """The caller asks too often."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(429, detail)


class ServerError(HTTPError):
    """The service failed."""

    def __init__(self, status_code: int = 500, detail: Any = None) -> None:
        super().__init__(status_code, detail)


class _AboutFileError(Exception):
    """An error with what it is about as its attributes."""

    def __init__(self, message: str, *about: Any, **named: Any) -> None:
        super().__init__(message)
        self.message = message
        given = dict(zip(self._names, about, strict=False)) | named
        for name in self._names:
            setattr(self, name, given.get(name))

    _names: tuple[str, ...] = ()


class ExcelSecurityError(_AboutFileError):
    """A sheet is larger than allowed."""

    _names = ("violation_type", "limit", "actual")


class ExcelParsingError(_AboutFileError):
    """A sheet cannot be read."""

    _names = ("file_path", "original_error")


class UploadError(Exception):
    """An error of an upload."""


class FileUploadError(_AboutFileError, UploadError):
    """A file could not be sent."""

    _names = ("file_path", "storage_id", "original_error")


class FileValidationError(_AboutFileError, UploadError):
    """A file is not valid."""

    _names = ("file_path", "validation_type")


class FileProcessingError(_AboutFileError, UploadError):
    """A file could not be worked on."""

    _names = ("file_path", "step", "original_error")
