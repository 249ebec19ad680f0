"""Makes the clients of the object storages, and says what their errors mean."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handrail_export.errors import StorageError
from handrail_export.names import said
from handrail_export.storage.place import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_MEMORIES: dict[str, Any] = {}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_WAYS_OUT = {
    "AccessDenied": "ask whoever owns the bucket for the right to read, write and delete there",
    "InvalidAccessKeyId": "the access key is not known there: check AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "make the bucket first, or check its name",
    "SignatureDoesNotMatch": "the secret does not fit the access key: check AWS_SECRET_ACCESS_KEY",
    "NoCredentials": "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
    "AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME and "
    "AZURE_STORAGE_ACCOUNT_KEY",
}
# Clients ask these for credentials where nothing else has any.
_METADATA_SERVICES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")


def make_client(place: Place, *, retries: int) -> ObjectStore:
    """Return a client for the bucket of a place.

    Args:
        place: The place.
        retries: How often the client tries again, with growing pauses.

    Raises:
        StorageError: The settings for it make no sense.
    """
    from obstore.exceptions import BaseError  # noqa: PLC0415 - a compiled client

    shared: dict[str, Any] = {
        "client_options": {"connect_timeout": "10s", "timeout": "300s"},
        "retry_config": {
            "max_retries": retries,
            "retry_timeout": timedelta(minutes=5),
            "backoff": {
                "init_backoff": timedelta(milliseconds=200),
                "max_backoff": timedelta(seconds=10),
                "base": 2,
            },
        },
    }
    try:
        return _MAKERS[place.scheme](place, shared)
    except (BaseError, ValueError) as error:
        raise StorageError(f"{place.shown} cannot be opened: {said(error)}") from error


def _s3(place: Place, shared: dict[str, Any]) -> ObjectStore:
    from obstore.store import S3Store  # noqa: PLC0415 - see above

    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
    if endpoint is not None:
        shared["endpoint"] = endpoint
        _allow(endpoint, shared)
    if os.environ.get("AWS_PROFILE"):
        shared["credential_provider"] = _provider()
    return S3Store(place.bucket, **shared)


def _provider() -> Any:
    """Return what gets credentials for AWS_PROFILE, of whatever kind it is."""
    try:
        session = import_module("boto3.session")  # An extra, without types.
        auth = import_module("obstore.auth.boto3")
    except ImportError as error:
        raise StorageError(
            "AWS_PROFILE is set, and profiles take the AWS SDK",
            ways_out=("pip install 'handrail-export[aws]'",),
        ) from error
    return auth.Boto3CredentialProvider(session.Session())


def _allow(endpoint: str, shared: dict[str, Any]) -> None:
    """Let the client use an endpoint without TLS: whoever writes http:// means it."""
    if endpoint.startswith("http://"):
        shared["client_options"]["allow_http"] = True


def _gs(place: Place, shared: dict[str, Any]) -> ObjectStore:
    from obstore.store import GCSStore  # noqa: PLC0415 - see above

    return GCSStore(place.bucket, **shared)


def _az(place: Place, shared: dict[str, Any]) -> ObjectStore:
    from obstore.store import AzureStore  # noqa: PLC0415 - see above

    for name in ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"):
        _allow(os.environ.get(name, ""), shared)
    return AzureStore(place.bucket, **shared)


def _memory(place: Place, _shared: dict[str, Any]) -> ObjectStore:
    from obstore.store import MemoryStore  # noqa: PLC0415 - see above

    if place.bucket not in _MEMORIES:
        _MEMORIES[place.bucket] = MemoryStore()
    store: ObjectStore = _MEMORIES[place.bucket]
    return store


_MAKERS = {"s3": _s3, "gs": _gs, "az": _az, "memory": _memory}


@contextmanager
def told(about: str, url: str) -> Generator[None]:
    """Turn what a client raises into a StorageError with the key and the server's words.

    That something is there already stays as the client tells it.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError  # noqa: PLC0415

    try:
        yield
    except (AlreadyExistsError, NotSupportedError):
        raise
    except (BaseError, FileNotFoundError) as error:
        # Not `from`: it says all that the client did, and a cause would be shown beside it.
        raise _storage_error(error, about, url)  # noqa: B904


def _storage_error(error: BaseException, about: str, url: str) -> StorageError:
    whole = str(error).partition("\n\nDebug source:")[0]
    # Before this stands the key, which may read like anything.
    text = re.split(r"Error performing [A-Z]+ \S+ in .*? - ", whole, maxsplit=1)[-1]
    status = _first(r"Server returned non-2xx status code: (\d{3})", text)
    code = _first(r"<Code>([^<]*)</Code>", text) or type(error).__name__.removesuffix("Error")
    words = _first(r"(?s)<Message>(.*?)</Message>", text)
    if any(f"://{each}" in whole for each in _METADATA_SERVICES):
        code, status, words = "NoCredentials", None, "there are no credentials"
    elif "error sending request" in text:
        code, words = "ConnectionFailed", "the server cannot be reached, or does not answer"
    elif isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
        return StorageError(f"{about}: it is not there (at {url})")
    elif words is None:
        words = "" if status else said(error)
    place = f" ({status} from {url})" if status else f" (from {url})"
    words = f": {' '.join(words.split())}" if words else ""
    passing = code == "ConnectionFailed" or status in ("408", "429")
    return StorageError(
        f"{about}: {code}{place}{words}",
        passing=passing or (status or "").startswith("5"),
        ways_out=(_WAYS_OUT.get(code, ""),),
    )


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
