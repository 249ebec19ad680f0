"""The errors of storages, for plugins that catch them."""

from __future__ import annotations

from typing import Any


class StorageError(Exception):
    """An error of a storage.

    Args:
        message: What is wrong.
        details: What else is known; no secrets.
    """

    def __init__(self, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __repr__(self) -> str:
        return f"{type(self).__name__}(message={self.message!r}, details={self.details!r})"


class StorageConfigError(StorageError):
    """A configuration lacks something, or does not make sense."""


class StorageProviderNotFoundError(StorageError):
    """There is no storage of that kind here."""


class StorageConnectionError(StorageError):
    """A storage could not be reached."""


class StorageUploadError(StorageError):
    """A file could not be written to a storage."""


class StorageNotFoundError(StorageError):
    """There is no such file."""


class StoragePermissionError(StorageError):
    """A storage refuses."""


class StorageCapabilityError(StorageError):
    """A storage of that kind cannot do that."""


class StorageSessionError(StorageError):
    """A session with a storage cannot be used."""


class StorageSessionClosedError(StorageSessionError):
    """A session was closed."""


class StorageSessionExpiredError(StorageSessionError):
    """The credentials of a session are no longer valid."""


class StorageRefreshUnavailableError(StorageSessionError):
    """There is nobody to ask for new credentials."""


class StorageContractVersionError(StorageError):
    """The service speaks of sessions in a way that is not known here."""
