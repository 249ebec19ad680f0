"""The kinds of storages, each by the names that the service has for it."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, cast

from handrail_synapse.storages.errors import (
    StorageConfigError,
    StorageError,
    StorageNotFoundError,
    StorageProviderNotFoundError,
    StorageUploadError,
)

AnyPath = Any
"""A `pathlib.Path` of a folder, or what is called like one of another storage."""


class Storage(ABC):
    """A storage of files.

    Args:
        config: What is needed to reach it, by name; it may have secrets.
    """

    needed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Mapping[str, Any]) -> None:
        missing = [name for name in self.needed if not config.get(name)]
        if missing:
            raise StorageConfigError(
                f"the configuration of a {type(self).__name__} has no {' and no '.join(missing)}"
            )

    @abstractmethod
    def get_pathlib(self, path: str) -> AnyPath:
        """Return the path of a file or folder in it."""

    @abstractmethod
    def get_url(self, target: str) -> str:
        """Return the URL of a file."""

    def exists(self, target: str) -> bool:
        """Return whether there is such a file or folder."""
        return bool(self.get_pathlib(target).exists())

    def upload(self, source: Path | str, target: str) -> str:
        """Copy a file into it, and return the URL of the copy.

        Raises:
            StorageNotFoundError: There is no such file.
            StorageUploadError: It could not be written.
        """
        file = Path(source)
        if not file.exists():
            raise StorageNotFoundError(f"Source file not found: {file}", {"source": str(file)})
        try:
            self._write(file, self.get_pathlib(target))
        except Exception as error:
            told = f"{file.name} could not be written to {self.get_url(target)}: {error}"
            raise StorageUploadError(told) from error
        return self.get_url(target)

    def _write(self, file: Path, path: AnyPath) -> None:
        with file.open("rb") as content, path.open("wb") as copy:
            shutil.copyfileobj(content, copy)

    def get_path_file_count(self, pathlib_obj: AnyPath) -> int:
        """Return the number of files below a folder."""
        return sum(1 for _ in _files(pathlib_obj))

    def get_path_total_size(self, pathlib_obj: AnyPath) -> int:
        """Return the bytes of the files below a folder."""
        return sum(each.stat().st_size for each in _files(pathlib_obj))

    def glob(self, pattern: str) -> list[AnyPath]:
        """Return the files and folders in it that a pattern matches."""
        return list(self.get_pathlib("").glob(pattern))


def _files(path: AnyPath) -> Iterator[AnyPath]:
    if path.is_file():
        yield path
        return
    yield from (each for each in path.rglob("*") if each.is_file())


class LocalStorage(Storage):
    """A folder of this machine: `location`."""

    needed = ("location",)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.base_path = Path(config["location"])

    def get_pathlib(self, path: str) -> Path:
        """Return the path of a file or folder in it."""
        below = str(path).strip("/")
        return self.base_path / below if below else self.base_path

    def get_url(self, target: str) -> str:
        """Return the URL of a file."""
        return f"file://{self.get_pathlib(target).absolute()}"

    def _write(self, file: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, path)


class _Bucket(Storage):
    """A bucket of an object storage; its paths are those of universal-pathlib.

    They work by obstore, the client that the storages of Handrail have too.
    """

    scheme: ClassVar[str]

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._bucket: str = config["bucket_name"]
        fsspec, upath = _library("obstore.fsspec"), _library("upath")
        client = fsspec.FsspecStore(
            self.scheme,
            config=self._client_config(config),
            client_options={"allow_http": True, "timeout": "300s"},
            # Else the credentials stay in this process for ever.
            skip_instance_cache=True,
        )
        self._root = upath.UPath(f"{self.scheme}://{self._bucket}/")
        # There is no other way: it would look for a client by its scheme, which others may serve.
        self._root._fs_cached = client

    @abstractmethod
    def _client_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the client."""

    def get_pathlib(self, path: str) -> AnyPath:
        """Return the path of an object, or of those below a prefix."""
        below = str(path).strip("/")
        return self._root / below if below else self._root

    def get_url(self, target: str) -> str:
        """Return the URL of an object."""
        return f"{self.scheme}://{self._bucket}/{str(target).strip('/')}".rstrip("/")


class S3Storage(_Bucket):
    """A bucket of S3, or of what speaks its protocol.

    Its configuration: `bucket_name`, `access_key`, `secret_key`, `region_name`, `endpoint_url`.
    """

    scheme = "s3"
    needed = ("bucket_name", "access_key", "secret_key")

    def _client_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        made = {
            "access_key_id": config["access_key"],
            "secret_access_key": config["secret_key"],
            "region": config.get("region_name") or "us-east-1",
        }
        endpoint = config.get("endpoint_url")
        return {**made, "endpoint": endpoint} if endpoint else made


class GCSStorage(_Bucket):
    """A bucket of Google Cloud Storage.

    Its configuration: `bucket_name`, and `credentials`: those of a service account, or their path.
    """

    scheme = "gs"
    needed = ("bucket_name", "credentials")

    def _client_config(self, config: Mapping[str, Any]) -> dict[str, Any]:
        given: Any = config["credentials"]
        if isinstance(given, Mapping):
            return {"service_account_key": json.dumps(dict(cast("Mapping[str, Any]", given)))}
        return {"service_account_path": str(given)}


class SFTPStorage(Storage):
    """A folder of an SFTP server.

    Its configuration: `host`, `username`, `password` or `private_key` (the path of it) with
    `private_key_passphrase`, `port`, `root_path`.
    """

    needed = ("host", "username")

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        if not (config.get("password") or config.get("private_key")):
            raise StorageConfigError("Either password or private_key must be provided")
        upath = _library("upath")
        _library("paramiko", "pip install paramiko")
        port = config.get("port") or 22
        self._base = f"sftp://{config['host']}" + (f":{port}" if port != 22 else "")
        self._top = str(config.get("root_path") or "/").rstrip("/")
        options = {
            "username": config["username"],
            "password": config.get("password"),
            "key_filename": config.get("private_key"),
            "passphrase": config.get("private_key_passphrase"),
        }
        self._root = upath.UPath(
            f"{self._base}{self._top}/",
            **{name: value for name, value in options.items() if value},
        )

    def get_pathlib(self, path: str) -> AnyPath:
        """Return the path of a file or folder in it."""
        below = str(path).strip("/")
        return self._root / below if below else self._root

    def get_url(self, target: str) -> str:
        """Return the URL of a file."""
        return f"{self._base}{self._top}/{str(target).strip('/')}".rstrip("/")

    def _write(self, file: Path, path: AnyPath) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        super()._write(file, path)


class HTTPStorage(Storage):
    """The files of an HTTP server, which has no list of them.

    Its configuration: `base_url`, `timeout` in seconds, `headers`.
    """

    needed = ("base_url",)

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        if not str(config["base_url"]).startswith(("http://", "https://")):
            raise StorageConfigError("base_url must start with http:// or https://")
        self._base = str(config["base_url"]).rstrip("/")
        self._timeout = config.get("timeout") or 30
        self._session = _library("requests", "pip install 'handrail-synapse[client]'").Session()
        self._session.headers.update(config.get("headers") or {})

    def get_pathlib(self, path: str) -> HTTPPath:
        """Return the path of a file."""
        return HTTPPath(self, path)

    def get_url(self, target: str) -> str:
        """Return the URL of a file."""
        return f"{self._base}/{str(target).strip('/')}"

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a request for a file, and return the answer."""
        url = self.get_url(path)
        return self._session.request(method, url, timeout=self._timeout, **options)

    def _write(self, file: Path, path: HTTPPath) -> None:
        answer = self._send("PUT", file, path)
        if answer.status_code == 405:
            answer = self._send("POST", file, path)
        answer.raise_for_status()

    def _send(self, method: str, file: Path, path: HTTPPath) -> Any:
        with file.open("rb") as content:
            return self.ask(method, path.key, files={"file": (file.name, content)})

    def get_path_file_count(self, pathlib_obj: AnyPath) -> int:
        """Raise StorageError: there is no list of files."""
        raise StorageError("File counting not supported for HTTP storage")

    def get_path_total_size(self, pathlib_obj: AnyPath) -> int:
        """Raise StorageError: there is no list of files."""
        raise StorageError("Size calculation not supported for HTTP storage")


class HTTPPath:
    """A file of an HTTP server.

    Args:
        storage: The server.
        key: Its path below the URL of the server.
    """

    def __init__(self, storage: HTTPStorage, key: str) -> None:
        self._storage = storage
        self.key = str(key).strip("/")

    def __truediv__(self, other: object) -> HTTPPath:
        return HTTPPath(self._storage, f"{self.key}/{other}")

    def __str__(self) -> str:
        return self._storage.get_url(self.key)

    def __repr__(self) -> str:
        return f"HTTPPath({str(self)!r})"

    @property
    def name(self) -> str:
        """The last part of it."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return Path(self.name).stem

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return Path(self.name).suffix

    @property
    def parent(self) -> HTTPPath:
        """What it is in."""
        return HTTPPath(self._storage, self.key.rpartition("/")[0])

    def exists(self) -> bool:
        """Return whether the server has it."""
        return bool(self._storage.ask("HEAD", self.key, allow_redirects=True).status_code == 200)

    def is_file(self) -> bool:
        """Return whether the server has it."""
        return self.exists()

    def is_dir(self) -> bool:
        """Return False: a server does not say so."""
        return False

    def read_bytes(self) -> bytes:
        """Return its content."""
        answer = self._storage.ask("GET", self.key)
        answer.raise_for_status()
        content: bytes = answer.content
        return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return its content as text."""
        return self.read_bytes().decode(encoding)


def _itself(kind: type[Any]) -> type[Any]:
    return kind


Factory = Callable[[], type[Any]]

_KINDS: dict[str, Factory] = {}


def register_provider(name: str, factory: Factory) -> None:
    """Add a kind of storages: `factory` returns the class, which is called with a configuration."""
    _KINDS[name] = factory


for _kind, _names in {
    LocalStorage: ("local", "file_system", "filesystem"),
    S3Storage: ("s3", "amazon_s3", "minio"),
    GCSStorage: ("gcs", "gs", "gcp"),
    SFTPStorage: ("sftp",),
    HTTPStorage: ("http", "https"),
}.items():
    for _name in _names:
        register_provider(_name, partial(_itself, _kind))


def get_registered_providers() -> list[str]:
    """Return the names of the kinds of storages that are there."""
    return list(_KINDS)


def is_provider_supported(provider: str) -> bool:
    """Return whether there is a kind of storages of that name."""
    return provider in _KINDS


def get_provider_class(provider: str) -> type[Any]:
    """Return the class of a kind of storages.

    Raises:
        StorageProviderNotFoundError: There is none.
    """
    if provider not in _KINDS:
        raise StorageProviderNotFoundError(unknown(provider), {"provider": provider})
    return _KINDS[provider]()


def unknown(provider: object) -> str:
    """Return the message that there is no storage of a kind."""
    return (
        f"a storage of the kind {provider!r} cannot be read here, only {', '.join(_KINDS)}: mount "
        "it, and name it as one of the kind 'local' with the folder as its location"
    )


def _library(name: str, how: str = "pip install 'handrail-synapse[storages]'") -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise StorageProviderNotFoundError(
            f"a storage of this kind needs {error.name}:  {how}"
        ) from error
