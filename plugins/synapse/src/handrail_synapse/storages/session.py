"""StorageSession: a storage and how to reach it, and the functions that make paths of one."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast

from handrail_synapse.storages.errors import (
    StorageCapabilityError,
    StorageConfigError,
    StorageContractVersionError,
    StorageRefreshUnavailableError,
    StorageSessionClosedError,
)
from handrail_synapse.storages.kinds import AnyPath, get_provider_class

CONTRACT_VERSION = 1


class StorageSession:
    """A storage and how to reach it.

    Args:
        provider_name: Its kind; `local` for a folder of this machine.
        configuration: What is needed to reach it; it may have secrets, and is never shown.
        storage_id: The number of the storage in the service, or None.
        expires_at: Until when the credentials are valid, or None.
        contract_version: That of the service; there is 1.
        renew: Returns a session with new credentials, or None if they cannot be had.

    Attributes:
        provider: Its kind.
        configuration: See above.
        storage_id: See above.
        expires_at: See above.

    Raises:
        StorageContractVersionError: The version is not known here.
    """

    def __init__(
        self,
        *,
        provider_name: str,
        configuration: Mapping[str, Any],
        storage_id: int | None = None,
        expires_at: datetime | None = None,
        contract_version: int = CONTRACT_VERSION,
        renew: Callable[[], StorageSession] | None = None,
    ) -> None:
        if contract_version != CONTRACT_VERSION:
            raise StorageContractVersionError(
                f"unsupported storage session contract version {contract_version}; this is "
                f"{CONTRACT_VERSION}"
            )
        self.provider = provider_name
        self.configuration = dict(configuration)
        self.storage_id = storage_id
        self.expires_at = expires_at
        self._renew = renew
        self._storage: Any = None
        self._is_closed = False

    @classmethod
    def of(cls, given: object, storage_id: int | None = None) -> StorageSession:
        """Return the session of a storage as a client gives it, or as a plugin names it.

        Raises:
            StorageConfigError: It names no kind.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            named = cast("Mapping[str, Any]", given)
            provider, configuration = named.get("provider"), named.get("configuration")
        else:
            provider = getattr(given, "provider", None)
            configuration = getattr(given, "configuration", None)
        if provider is None:
            raise StorageConfigError("a storage needs a provider and a configuration")
        # Some name the kind by a member of an enumeration.
        name: str = getattr(provider, "value", provider)
        return cls(
            provider_name=name,
            configuration=cast("Any", configuration) or {},
            storage_id=storage_id,
        )

    @classmethod
    def open(cls, client: Any, storage_id: int, purpose: str = "read") -> StorageSession:
        """Return a session with a storage of the service.

        Args:
            client: The client of the service: one of the SDK's kind, else one with `get_storage`.
            storage_id: The number of the storage.
            purpose: `read` or `write`.

        Raises:
            Exception: What the client raises.
        """
        # Not of the client itself: a mock has everything.
        if not hasattr(cast("type[object]", type(client)), "_post"):
            return cls.of(client.get_storage(storage_id), storage_id)
        told = _issued(client, storage_id, purpose)
        return cls(
            provider_name=told["provider"],
            configuration=told["configuration"],
            storage_id=storage_id,
            expires_at=_time(told.get("expires_at")),
            contract_version=told.get("contract_version", CONTRACT_VERSION),
            renew=lambda: cls.open(client, storage_id, purpose),
        )

    def path(self, rel: str = "/") -> AnyPath:
        """Return the path of a file or folder of the storage.

        Raises:
            StorageProviderNotFoundError: It is of a kind that is not there.
            StorageConfigError: Its configuration lacks something.
            StorageSessionClosedError: The session was closed.
        """
        return self.storage().get_pathlib(rel)

    def storage(self) -> Any:
        """Return the storage; with new credentials, if they are no longer valid."""
        if self._is_closed:
            raise StorageSessionClosedError("session is closed")
        if self.expires_at is not None and datetime.now(UTC) >= self.expires_at:
            self.refresh()
        if self._storage is None:
            self._storage = get_provider_class(self.provider)(self.configuration)
        return self._storage

    def refresh(self) -> None:
        """Ask for new credentials.

        Raises:
            StorageRefreshUnavailableError: There is nobody to ask.
        """
        if self._renew is None:
            raise StorageRefreshUnavailableError(
                "the session was made without the service, so it has no new credentials"
            )
        new = self._renew()
        self.configuration, self.expires_at = new.configuration, new.expires_at
        self.provider, self._storage = new.provider, None

    def list_dir(self, rel: str = "/", *, show_hidden: bool = False) -> list[AnyPath]:
        """Return the files and folders in a folder.

        Raises:
            StorageCapabilityError: The storage has no list of them.
        """
        path = self.path(rel)
        if not hasattr(path, "iterdir"):
            told = f"storage provider {self.provider!r} does not support directory listing"
            raise StorageCapabilityError(told)
        return [each for each in path.iterdir() if show_hidden or not each.name.startswith(".")]

    def materialize(self, rel: str) -> Path:
        """Return the path of a file of this machine: the file itself, or a copy of it."""
        return on_this_machine(self.path(rel))

    def close(self) -> None:
        """End it; it gives no more paths."""
        self._is_closed = True
        self._storage = None

    def __enter__(self) -> StorageSession:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "StorageSession is not serializable, since it holds credentials: give its storage_id "
            "to the other process"
        )

    def __repr__(self) -> str:
        # The configuration may have secrets.
        return f"<{type(self).__name__} {self.provider!r}>"


def _issued(client: Any, storage_id: int, purpose: str) -> Mapping[str, Any]:
    """Return what the service says of a storage, with credentials for it."""
    told: Mapping[str, Any]
    try:
        told = client._post(f"storages/{storage_id}/session/", json={"purpose": purpose})
    except Exception as error:
        if getattr(error, "status_code", None) not in (404, 405):
            raise
        # An older service, which has them in the configuration.
        told = client._get(f"storages/{storage_id}/", params={"with_configuration": "true"})
    return told


def _time(given: Any) -> datetime | None:
    if given is None:
        return None
    made = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def acquire_storage(context: Any, storage_id: int | None, *, purpose: str = "write") -> Any:
    """Return the storage of a context; open it, if it has none yet."""
    if not context.storage:
        context.storage = StorageSession.open(context.client, cast("int", storage_id), purpose)
    return context.storage


def get_storage(connection_param: Mapping[str, Any]) -> Any:
    """Return a storage by its `provider` and `configuration`.

    Raises:
        StorageProviderNotFoundError: It is of a kind that is not there.
        StorageConfigError: Its configuration lacks something.
    """
    return StorageSession.of(connection_param).storage()


def get_pathlib(storage_config: object, path_root: str) -> AnyPath:
    """Return the path of a file or folder of a storage: a `pathlib.Path`, or what is called so.

    Raises:
        StorageProviderNotFoundError: It is of a kind that is not there.
        StorageConfigError: Its configuration lacks something.
    """
    return StorageSession.of(storage_config).path(path_root)


def get_path_file_count(storage_config: object, path_root: str) -> int:
    """Return the number of files below a folder of a storage."""
    storage = StorageSession.of(storage_config).storage()
    count: int = storage.get_path_file_count(storage.get_pathlib(path_root))
    return count


def get_path_total_size(storage_config: object, path_root: str) -> int:
    """Return the bytes of the files below a folder of a storage."""
    storage = StorageSession.of(storage_config).storage()
    size: int = storage.get_path_total_size(storage.get_pathlib(path_root))
    return size


def on_this_machine(path: AnyPath) -> Path:
    """Return a path of this machine as it is, or the path of a copy, which has the same name.

    Copies are deleted when the process ends.
    """
    if isinstance(path, Path):
        return path
    name: str = path.name
    copy = Path(tempfile.mkdtemp(dir=_copies())) / name
    with copy.open("wb") as file:
        if hasattr(path, "open"):
            with path.open("rb") as content:
                shutil.copyfileobj(content, file)
        else:
            file.write(path.read_bytes())
    return copy


@cache
def _copies() -> str:
    folder = tempfile.mkdtemp(prefix="synapse-files-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
