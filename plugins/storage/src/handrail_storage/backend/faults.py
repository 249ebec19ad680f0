"""Converts errors of storage servers to one line, and decides whether a retry may help."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.errors import StorageError

# 408 and 429 ask to come back, 5xx are troubles of the server, and these come with 400 or 409.
_PASSING_CODES = (
    *("ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout"),
    *("SlowDown", "ConnectionBroken", "ConnectionFailed", "TimedOut", "Join"),
)
_NO_BUCKET = ("ContainerNotFound", "NoSuchBucket")
# The client's notes about an unanswered request, the code for them, and our words about the server.
_KINDS = (
    ("kind: ConnectionRefused", "ConnectionFailed", "{} cannot be reached: connection refused"),
    ('"dns error"', "ConnectionFailed", "{} cannot be reached: unknown host"),
    ("kind: Connect\\b", "ConnectionFailed", "{} cannot be reached"),
    ("kind: Timeout\\b", "TimedOut", "{} did not answer in time"),
    ("", "ConnectionBroken", "the connection to {} broke"),
)
# Clients ask these for credentials if there are no others.
_METADATA_SERVICES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_CREDENTIALS = (
    "{} credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile in ~/.aws, "
    "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
)
_WAYS_OUT = {
    "NoCredentials": _CREDENTIALS.format("give"),
    "Unauthenticated": _CREDENTIALS.format("check"),
    "InvalidAccessKeyId": "the access key is not known there: check AWS_ACCESS_KEY_ID, or the "
    "profile in ~/.aws",
    "SignatureDoesNotMatch": "the secret does not fit the access key: check "
    "AWS_SECRET_ACCESS_KEY, or the profile in ~/.aws",
    "AccessDenied": "ask whoever owns the bucket for the right to list, read, write and "
    "delete there",
    # The whole answer to a request whose answer has no body; of S3 also for a missing object.
    "PermissionDenied": "check the credentials, and that they have the right to list, read and "
    "write there",
    "NoSuchBucket": "make the bucket first, or check its name",
}


def storage_error(
    error: BaseException, about: str, url: str, caller: Caller = ANYBODY
) -> StorageError:
    """Convert `error` of an object storage to a StorageError.

    Args:
        error: The exception of the client.
        about: The key, or the operation.
        url: The place, as people write it.
        caller: The pack, for the class of the error.
    """
    if isinstance(error, StorageError):
        return error
    whole, _, dump = str(error).partition("\n\nDebug source:")
    # The key comes before it, and may contain any text.
    text = re.split(r"Error performing [A-Z]+ \S+ in .*? - ", whole, maxsplit=1)[-1]
    status = _first(r"Server returned non-2xx status code: (\d{3})", text)
    code = _first(r"<Code>([^<]*)</Code>", text) or type(error).__name__.removesuffix("Error")
    said = _first(r"(?s)<Message>(.*?)</Message>", text)
    if said is None and status is None:
        code, said = _without_status(code, text, dump, _server(whole))
    elif said is None:
        said = _first(rf"status code: {status} ([^:\n]*)", text)
    if any(f"://{place}" in whole for place in _METADATA_SERVICES):
        code, status = "NoCredentials", None
        said = "there are no credentials, and this is no machine of the cloud that has its own"
    if isinstance(error, FileNotFoundError) and code not in _NO_BUCKET:
        return caller.error(f"{about}: it is not there (at {url})")
    words = f": {' '.join(said.split())}" if said else ""
    place = f" ({status} from {url})" if status else f" (from {url})"
    told = caller.error(
        f"{about}: {code}{place}{words}",
        passing=_may_pass(status, code),
        reason=said if said and not status else f"{code}{place}",
        ways_out=(_WAYS_OUT.get(code, ""),),
    )
    told.no_place = code in _NO_BUCKET
    return told


def _server(text: str) -> str:
    """Return the host and port of the request that an error of the client is about."""
    url = _first(r"Error performing [A-Z]+ (\S+) in ", text)
    try:
        return (urlsplit(url or "").netloc or "the server").rpartition("@")[2]
    except ValueError:
        return "the server"


def _without_status(code: str, text: str, dump: str, server: str) -> tuple[str, str]:
    """Return code and message for a request without a status."""
    refused = _first(r"\(code: (\w+)\)$", text)  # Of one object among those to be deleted.
    if refused is not None:
        return refused, ""
    if "error sending request" in text:
        found = next(each for each in _KINDS if re.search(each[0], dump))
        _, code, words = found
        return code, words.format(server)
    return code, text


def _may_pass(status: str | None, code: str) -> bool:
    asked = status in ("408", "429") or (status or "").startswith("5")
    return asked or code in _PASSING_CODES


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return None if found is None else found[1]
