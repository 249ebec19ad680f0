"""Where the files of a plugin are: paths below the folder of a storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

_LOCAL = ("local", "file_system", "filesystem")


class StorageProviderNotFoundError(Exception):
    """A storage that cannot be reached from here."""


class StorageSession:
    """A storage and how to reach it.

    Args:
        provider: Its kind; `local` for a folder of this machine.
        configuration: What is needed to reach it; `location` of a folder.

    Attributes:
        storage_id: The number of the storage in the service, or None.
    """

    def __init__(
        self, provider: str, configuration: Mapping[str, Any], storage_id: int | None = None
    ) -> None:
        self.provider = provider
        self.configuration = dict(configuration)
        self.storage_id = storage_id

    @classmethod
    def of(cls, given: object, storage_id: int | None = None) -> StorageSession:
        """Return the session of a storage as a client gives it, or as a plugin names it."""
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            named = cast("Mapping[str, Any]", given)
            return cls(named["provider"], named.get("configuration") or {}, storage_id)
        provider: Any = getattr(given, "provider", None)
        configuration: Any = getattr(given, "configuration", None)
        # Some name the kind by a member of an enumeration.
        return cls(getattr(provider, "value", provider), configuration or {}, storage_id)

    def path(self, rel: str = "/") -> Path:
        """Return the path of a file or folder of the storage.

        Raises:
            StorageProviderNotFoundError: The storage is no folder of this machine.
        """
        if self.provider not in _LOCAL:
            raise StorageProviderNotFoundError(
                f"a storage of the kind {self.provider!r} cannot be read as files: mount it, and "
                "name it as one of the kind 'local' with the folder as its location"
            )
        root = Path(self.configuration["location"])
        below = str(rel).strip("/")
        return root / below if below else root

    def __repr__(self) -> str:
        # The configuration may have secrets.
        return f"<{type(self).__name__} {self.provider!r}>"


def get_storage(connection_param: Mapping[str, Any]) -> LocalStorage:
    """Return a storage by its `provider` and `configuration`.

    Raises:
        StorageProviderNotFoundError: It is no folder of this machine.
    """
    return LocalStorage(StorageSession.of(connection_param))


def get_pathlib(storage_config: object, path_root: str) -> Path:
    """Return the path of a file or folder of a storage.

    Raises:
        StorageProviderNotFoundError: The storage is no folder of this machine.
    """
    return StorageSession.of(storage_config).path(path_root)


def get_path_file_count(storage_config: object, path_root: str) -> int:
    """Return the number of files below a folder of a storage."""
    return sum(1 for _ in _files(get_pathlib(storage_config, path_root)))


def get_path_total_size(storage_config: object, path_root: str) -> int:
    """Return the bytes of the files below a folder of a storage."""
    return sum(each.stat().st_size for each in _files(get_pathlib(storage_config, path_root)))


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, session: StorageSession) -> None:
        self.base_path = session.path()
        self._session = session

    def get_pathlib(self, path: str) -> Path:
        """Return the path of a file or folder in it."""
        return self._session.path(path)

    def exists(self, target: str) -> bool:
        """Return whether there is such a file or folder."""
        return self.get_pathlib(target).exists()

    def get_url(self, target: str) -> str:
        """Return the URL of a file."""
        return f"file://{self.get_pathlib(target).absolute()}"

    def upload(self, source: Path | str, target: str) -> str:
        """Copy a file into it, and return the URL of the copy."""
        import shutil  # noqa: PLC0415 - few plugins write to a storage themselves

        path = self.get_pathlib(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, path)
        return self.get_url(target)

    def get_path_file_count(self, pathlib_obj: Path) -> int:
        """Return the number of files below a folder."""
        return sum(1 for _ in _files(pathlib_obj))

    def get_path_total_size(self, pathlib_obj: Path) -> int:
        """Return the bytes of the files below a folder."""
        return sum(each.stat().st_size for each in _files(pathlib_obj))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    yield from (each for each in path.rglob("*") if each.is_file())
