"""Opens places as stores, and reads files from any place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from handrail_storage.backend.local import LocalStore
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.places import Place, parse_place
from handrail_storage.store import Store

if TYPE_CHECKING:
    from obstore import GetOptions

    from handrail_storage.backend.requests import Requests

_BLOCK = 4 << 20


def open_store(
    place: Place | str,
    caller: Caller = ANYBODY,
    *,
    retries: int = 8,
    on_status: Callable[[str | None], object] | None = None,
) -> Store:
    """Open a place as a store; nothing is written or requested yet.

    Args:
        place: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        caller: The pack, for the class and the words of errors.
        retries: Number of retries when the storage fails for a moment.
        on_status: Called from any thread with what requests wait for, and with None once they go
            on; `context.set_status` shows it.

    Raises:
        StorageError: The place or its credentials are malformed.
    """
    parsed = parse_place(place, caller) if isinstance(place, str) else place
    if parsed.local:
        return LocalStore(parsed, caller)
    # It loads a compiled client, which a folder does not need.
    from handrail_storage.backend.objects import ObjectStore  # noqa: PLC0415

    return ObjectStore(parsed, caller, retries=retries, on_status=on_status)


class Reader:
    """Reads files in any place by their locations; opens each bucket once, for several threads.

    Args:
        caller: The pack, for the class of errors.
        retries: Number of retries when a storage fails for a moment.
        on_status: See `open_store`.
    """

    def __init__(
        self,
        caller: Caller = ANYBODY,
        *,
        retries: int = 8,
        on_status: Callable[[str | None], object] | None = None,
    ) -> None:
        self._caller = caller
        self._on_status = on_status
        self._retries = retries
        self._buckets: dict[tuple[str, str], Requests] = {}
        self._lock = threading.Lock()

    def read(self, location: str, most: int | None = None) -> bytes:
        """Return the content of a file, or its first `most` bytes.

        Raises:
            StorageError: The file does not exist, or cannot be read.
        """
        return b"".join(self.blocks(location, most))

    def blocks(self, location: str, most: int | None = None) -> Iterator[bytes]:
        """Yield the content of a file, or its first `most` bytes, a few MiB at a time.

        Raises:
            StorageError: The file does not exist, or cannot be read.
        """
        place = parse_place(location, self._caller)
        if place.local:
            try:
                with open(place.path, "rb") as file:
                    yield from (
                        iter(lambda: file.read(_BLOCK), b"") if most is None else [file.read(most)]
                    )
            except FileNotFoundError:
                raise self._caller.error(f"it is not there: {location}") from None
            except OSError as error:
                raise self._caller.error(f"{location}: {error.strerror}") from error
            return
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used

        requests = self._bucket(place)
        options: GetOptions = {} if most is None else {"range": (0, most)}
        with requests.patiently(place.path):
            answer = obstore.get(requests.patient, place.path, options=options)
            yield from map(bytes, answer.stream(_BLOCK))

    def _bucket(self, place: Place) -> Requests:
        from handrail_storage.backend.requests import Requests  # noqa: PLC0415 - see above

        with self._lock:
            key = (place.scheme, place.bucket)
            if key not in self._buckets:
                url = f"{place.scheme}://{place.bucket}"
                root = Place(scheme=place.scheme, bucket=place.bucket, path="", shown=url)
                self._buckets[key] = Requests(root, self._retries, self._caller, self._on_status)
            return self._buckets[key]
