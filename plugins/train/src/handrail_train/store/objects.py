"""An object storage as the store, through obstore.

Each object carries the mark of the run that made it as user metadata, `handrail-run`; undo deletes
an object only while that mark is on it.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from handrail_train.errors import StorageError
from handrail_train.store.store import Owner, Store
from handrail_train.store.target import Target

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

MARK = "handrail-run"
MEMORY_LAG = 0.0  # What is in this process is there at once.

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CREDENTIALS = (
    "give credentials in variables: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
)
_WAYS_OUT = {
    "Unauthenticated": _CREDENTIALS,
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY",
    "AccessDenied": "ask whoever owns the bucket for the right to list, read, write and delete",
    "NoSuchBucket": "make the bucket first, or check its name",
}
_MEMORIES: dict[str, MemoryStore] = {}


class ObjectStore(Store):
    """Objects below one prefix of a bucket."""

    lag = 1.0

    def __init__(self, target: Target, *, retries: int) -> None:
        self.url, self.address = target.shown, target.shown
        self._prefix = f"{target.path}/" if target.path else ""
        # Azure wants identifiers of C#.
        self._mark = MARK.replace("-", "_") if target.scheme == "az" else MARK
        with self._told(f"opening {self.url}"):
            self._client = _client(target, retries)
        if target.scheme == "memory":
            self.lag = MEMORY_LAG

    def create(self, key: str, content: bytes, mark: str) -> bool:
        with self._told(key):
            # Some servers take no notice of "create", so look first.
            if self._ask(key) is None:
                try:
                    self._put(key, content, mark, "create")
                except NotSupportedError:
                    self._put(key, content, mark, "overwrite")
                except AlreadyExistsError:
                    pass  # Somebody else was first, or this is a request that was sent again.
                else:
                    return self._ask(key) == mark
            return self._ask(key) == mark and self.read(key) == content

    def _put(self, key: str, content: bytes, mark: str, mode: Any) -> None:
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        obstore.put(
            self._client,
            self._prefix + key,
            content,
            attributes={"Content-Type": kind, self._mark: mark},
            mode=mode,
            use_multipart=False,
        )

    def _ask(self, key: str) -> str | None:
        """Return the mark on an object, empty where it has none; None where there is none."""
        try:
            answer = obstore.get(self._client, self._prefix + key, options={"head": True})
        except FileNotFoundError:
            return None
        return answer.attributes.get(self._mark, "")

    def read(self, key: str) -> bytes | None:
        with self._told(key):
            try:
                return bytes(obstore.get(self._client, self._prefix + key).bytes())
            except FileNotFoundError:
                return None

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = []
        with self._told(f"listing {self.url}"):
            # The overloads of it name a type that is not there.
            batches: Any = cast("Any", obstore).list(self._client, prefix=self._prefix + prefix)
            for batch in batches:
                found += [each["path"].removeprefix(self._prefix) for each in batch]
        return sorted(found)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._told(key), suppress(FileNotFoundError):
                obstore.delete(self._client, self._prefix + key)

    def owner(self, key: str, mark: str, known: tuple[int, ...] | None = None) -> Owner:
        with self._told(key):
            found = self._ask(key)
        if found is None:
            return "absent"
        return "ours" if found == mark else "foreign"

    @contextmanager
    def _told(self, about: str) -> Generator[None]:
        """Turn what the client raises into a StorageError with the key and the server's words."""
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            # Not `from`: it says all that the client did, and a cause would be shown beside it.
            raise _storage_error(error, about, self.url)  # noqa: B904


def _client(target: Target, retries: int) -> Client:
    shared: dict[str, Any] = {
        "client_options": {"connect_timeout": "10s", "timeout": "300s"},
        "retry_config": {"max_retries": retries, "retry_timeout": timedelta(minutes=5)},
    }
    if target.scheme == "memory":
        return _MEMORIES.setdefault(target.bucket, MemoryStore())
    if target.scheme == "gs":
        return GCSStore(target.bucket, **shared)
    if target.scheme == "az":
        return AzureStore(target.bucket, **shared)
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    if endpoint is not None:
        shared["endpoint"] = endpoint
        if endpoint.startswith("http://"):  # Whoever writes that means it.
            shared["client_options"]["allow_http"] = True
    return S3Store(target.bucket, **shared)


def _storage_error(error: BaseException, about: str, url: str) -> StorageError:
    text = str(error).partition("\n\nDebug source:")[0]
    # Before this stands the key, which may read like anything.
    text = re.split(r"Error performing [A-Z]+ \S+ in .*? - ", text, maxsplit=1)[-1]
    status = _first(r"status code: (\d{3})", text)
    code = _first(r"<Code>([^<]*)</Code>", text) or type(error).__name__.removesuffix("Error")
    said = _first(r"(?s)<Message>(.*?)</Message>", text)
    if "error sending request" in text:
        code, said = "ConnectionFailed", "the server cannot be reached"
    if "169.254.169.254" in text:
        code, said = "Unauthenticated", "there are no credentials"
    words = " ".join((said or ("" if status else text)).split())
    place = f" ({status} from {url})" if status else f" (from {url})"
    return StorageError(
        f"{about}: {code}{place}{f': {words}' if words else ''}",
        passing=code == "ConnectionFailed" or (status or "").startswith("5"),
        ways_out=(_WAYS_OUT.get(code, ""),),
    )


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return None if found is None else found[1]
