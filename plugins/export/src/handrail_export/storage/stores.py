"""Reads files wherever they are stored: on this machine, or in an object storage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from handrail_export.errors import StorageError
from handrail_export.storage.clients import make_client, told
from handrail_export.storage.place import Place, parse_place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_BLOCK = 4 << 20


class Stores:
    """Opens each bucket once; used by several threads.

    Args:
        retries: How often to try again when a storage fails for a moment.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._clients: dict[tuple[str, str], ObjectStore] = {}
        self._lock = threading.Lock()

    def read(self, location: str, most: int | None = None) -> bytes:
        """Return the content of a file, or its first so many bytes.

        Raises:
            StorageError: It is not there, or cannot be read.
        """
        place = parse_place(location)
        if place.scheme == "file":
            with _readable(location), open(place.path, "rb") as file:
                return file.read(-1 if most is None else most)
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used

        with told(place.path, place.shown.removesuffix(f"/{place.path}")):
            client = self._client(place)
            if most is None:
                return bytes(obstore.get(client, place.path).bytes())
            answer = obstore.get(client, place.path, options={"range": (0, most)})
            return bytes(answer.bytes())

    def blocks(self, location: str) -> Iterator[bytes]:
        """Yield the content of a file, a few MiB at a time.

        Raises:
            StorageError: It is not there, or cannot be read.
        """
        place = parse_place(location)
        if place.scheme == "file":
            with _readable(location), open(place.path, "rb") as file:
                yield from iter(lambda: file.read(_BLOCK), b"")
            return
        import obstore  # noqa: PLC0415 - see above

        with told(place.path, place.shown.removesuffix(f"/{place.path}")):
            for block in obstore.get(self._client(place), place.path).stream(_BLOCK):
                yield bytes(block)

    def _client(self, place: Place) -> ObjectStore:
        with self._lock:
            key = (place.scheme, place.bucket)
            if key not in self._clients:
                self._clients[key] = make_client(place, retries=self._retries)
            return self._clients[key]


class _readable:  # noqa: N801 - reads like a function
    """Turns what the operating system says into a StorageError with the location."""

    def __init__(self, location: str) -> None:
        self._location = location

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise StorageError(f"it is not there: {self._location}") from None
        if isinstance(error, OSError):
            raise StorageError(f"{self._location}: {error.strerror}") from error
