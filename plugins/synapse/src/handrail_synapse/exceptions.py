"""The errors that a client raises, and those of uploads, for plugins that catch them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast


class ClientError(Exception):
    """An error of the client.

    Args:
        status_code: The status that the service answered, or None.
        detail: What it said.
    """

    def __init__(self, status_code: int | None = None, detail: Any = None) -> None:
        self.status_code = status_code
        self.detail = detail
        super().__init__(self._text())

    def _text(self) -> str:
        if self.status_code is None:
            return str(self.detail or "")
        return f"{self.status_code}: {self.detail}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code}, detail={self.detail!r})"


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
    """The service does not accept what it was given; the text has a line for each value."""

    def __init__(self, status_code: int = 400, detail: Any = None) -> None:
        super().__init__(status_code, detail)

    def _text(self) -> str:
        lines = list(_invalid_values(self.detail))
        if not lines:
            return super()._text()
        return "\n".join((f"{self.status_code} Validation Error:", *lines))


_SHOWN = 50  # Characters of a value.


def _said(detail: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", detail) if isinstance(detail, Mapping) else {}


def _invalid_values(detail: Any) -> Iterator[str]:
    """Yield a line for each value that the service found invalid, if it says so one by one."""
    given: Any = _said(detail).get("detail", detail)
    if not isinstance(given, list):
        return
    for found in map(_said, cast("Any", given)):
        where = " -> ".join(map(str, found.get("loc", ())))
        line = f"  {where}: {found.get('msg', 'Unknown error')}"
        if found.get("type"):
            line += f" (type={found['type']})"
        if found.get("input") is not None:
            shown = repr(found["input"])
            line += f" [input={shown[:_SHOWN]}{'...' if len(shown) > _SHOWN else ''}]"
        yield line


class RateLimitError(HTTPError):
    """The caller asks too often."""

    def __init__(self, detail: Any = None) -> None:
        super().__init__(429, detail)


class ServerError(HTTPError):
    """The service failed."""

    def __init__(self, status_code: int = 500, detail: Any = None) -> None:
        super().__init__(status_code, detail)


def raise_for_status(status_code: int, detail: Any = None) -> None:
    """Raise the error for the status of an answer, if it is one.

    Raises:
        HTTPError: The status is 400 or above; one of the errors derived from it.
    """
    if status_code < 400:
        return
    if status_code in _FOR_STATUS:
        raise _FOR_STATUS[status_code](detail)
    if status_code in (400, 422):
        raise ValidationError(status_code, detail)
    if status_code >= 500:
        raise ServerError(status_code, detail)
    raise HTTPError(status_code, detail)


_FOR_STATUS: Mapping[int, type[Any]] = {
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    429: RateLimitError,
}


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
