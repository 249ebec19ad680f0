"""What goes wrong at a server is told in one line, with the server's words and a way out."""

from __future__ import annotations

import pytest

from handrail_storage import StorageError
from handrail_storage.backend import storage_error

URL = "s3://b/p"

FORBIDDEN = (
    "The operation lacked the necessary privileges to complete for path k: Error performing PUT "
    "http://h/b/k in 1.417509ms - Server returned non-2xx status code: 403 Forbidden: "
    '<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>m</Message></Error>'
)
NOT_DELETED = (
    "Generic S3 error: DeleteObjects request failed for key k: AccessDenied (code: AccessDenied)"
)
UNANSWERED = (
    "Generic S3 error: Error performing PUT http://h/b/k in 152.427µs - HTTP error: error sending "
    'request\n\nDebug source:\nGeneric {{\n    store: "S3",\n    source: HttpError {{\n'
    "        kind: {kind},\n    }},\n}}"
)
EXHAUSTED = (
    "Generic S3 error: Error performing PUT http://h/b/k in 1.2s, after 3 retries, max_retries: 3, "
    "retry_timeout: 300s  - Server returned non-2xx status code: 503 Service Unavailable: {body}"
)
FAILED_LATE = (  # S3 may say that all is well, and think better of it further on.
    "Generic S3 error: Error performing POST http://h/b/k in 1ms - Server returned error response: "
    "<Error><Code>InternalError</Code><Message>m</Message></Error>"
)
NO_CREDENTIALS = (
    "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 3.1s - "
    "HTTP error: error sending request\n\nDebug source:\nkind: Connect"
)


def told(kind: str, text: str) -> StorageError:
    """Return what is made of an error of the client."""
    from obstore import exceptions

    return storage_error(getattr(exceptions, kind)(text), "k", URL)


@pytest.mark.parametrize(
    ("kind", "text", "message", "passing"),
    [
        (
            "PermissionDeniedError",
            FORBIDDEN,
            f"k: SignatureDoesNotMatch (403 from {URL}): m",
            False,
        ),
        ("GenericError", NOT_DELETED, f"k: AccessDenied (from {URL})", False),
        (
            "GenericError",
            UNANSWERED.format(kind="Connect"),
            f"k: ConnectionFailed (from {URL}): h cannot be reached",
            True,
        ),
        (
            "GenericError",
            UNANSWERED.format(kind="Connect,\n kind: ConnectionRefused"),
            f"k: ConnectionFailed (from {URL}): h cannot be reached: connection refused",
            True,
        ),
        (
            "GenericError",
            UNANSWERED.format(kind='Connect,\n "dns error"'),
            f"k: ConnectionFailed (from {URL}): h cannot be reached: unknown host",
            True,
        ),
        (
            "GenericError",
            UNANSWERED.format(kind="Timeout"),
            f"k: TimedOut (from {URL}): h did not answer in time",
            True,
        ),
        (
            "GenericError",
            UNANSWERED.format(kind="Interrupted"),
            f"k: ConnectionBroken (from {URL}): the connection to h broke",
            True,
        ),
        (
            "GenericError",
            EXHAUSTED.format(body="<Error><Code>SlowDown</Code><Message>a\n b</Message></Error>"),
            f"k: SlowDown (503 from {URL}): a b",
            True,
        ),
        (
            "GenericError",
            EXHAUSTED.format(body="<html>the proxy is tired</html>"),
            f"k: Generic (503 from {URL}): Service Unavailable",
            True,
        ),
        (
            "GenericError",
            FAILED_LATE,
            f"k: InternalError (from {URL}): m",
            True,
        ),
        (
            "GenericError",
            NO_CREDENTIALS,
            f"k: NoCredentials (from {URL}): there are no credentials, and this is no machine of "
            "the cloud that has its own",
            False,
        ),
        (
            "GenericError",
            "Generic S3 error: something else - altogether",
            f"k: Generic (from {URL}): Generic S3 error: something else - altogether",
            False,
        ),
    ],
    ids=lambda each: each if isinstance(each, str) and each.startswith("k: ") else "",
)
def test_texts_of_the_client_are_understood(kind, text, message, passing):
    """Code, status, words, and whether it may pass, each in its place; no dump of insides."""
    error = told(kind, text)
    assert error.message == message
    assert error.passing == passing


@pytest.mark.parametrize(
    ("code", "way"),
    [
        ("SignatureDoesNotMatch", "the secret does not fit the access key"),
        ("InvalidAccessKeyId", "the access key is not known there"),
        ("AccessDenied", "ask whoever owns the bucket"),
        ("NoSuchBucket", "make the bucket first"),
    ],
)
def test_refusals_that_users_can_mend_have_a_way_out(code, way):
    """It tells what to do."""
    error = told("GenericError", FORBIDDEN.replace("SignatureDoesNotMatch", code))
    assert len(error.ways_out) == 1
    assert way in error.ways_out[0]


def test_missing_credentials_have_a_way_out():
    """Each cloud's variables are named."""
    [way] = told("GenericError", NO_CREDENTIALS).ways_out
    for name in "AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_ACCOUNT_KEY":
        assert name in way


@pytest.mark.parametrize(
    "key",
    [
        "status code: 503",
        "<Code>SlowDown</Code>",
        "(code: SlowDown)",
        "169.254.169.254.pcap",
        "error sending request",
        "a - b",
    ],
)
def test_names_of_files_are_not_taken_for_what_the_server_says(key):
    """A key stands in the client's text as well."""
    from obstore.exceptions import GenericError, PermissionDeniedError

    text = FORBIDDEN.replace("path k:", f"path p/{key}:").replace("/b/k ", "/b/169.254.169.254 ")
    error = storage_error(PermissionDeniedError(text), key, URL)
    assert error.message == f"{key}: SignatureDoesNotMatch (403 from {URL}): m"
    assert not error.passing
    unsent = "Generic S3 error: Error performing PUT http://h/b/k in 1ms - HTTP error: odd"
    error = storage_error(GenericError(f"for path p/{key}: {unsent}"), key, URL)
    assert error.message == f"{key}: Generic (from {URL}): HTTP error: odd"
    deleted = storage_error(GenericError(NOT_DELETED.replace("key k", f"key {key}")), key, URL)
    assert deleted.message == f"{key}: AccessDenied (from {URL})"


def test_error_of_ours_stays_as_it_is():
    """What was understood once is not understood again."""
    error = StorageError("k: told", ways_out=("do",))
    assert storage_error(error, "other", URL) is error


def test_server_that_hangs_is_told(own_moto):
    """A server that takes a request and says nothing is given up in the end."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    store = S3Store(
        own_moto.bucket(),
        access_key_id=own_moto.access_key,
        secret_access_key=own_moto.secret_key,
        endpoint=own_moto.endpoint,
        client_options={"allow_http": True, "timeout": "1s"},
        retry_config={"max_retries": 0},
    )
    own_moto.pause()
    try:
        with pytest.raises(BaseError) as caught:
            obstore.put(store, "k", b"1")
    finally:
        own_moto.resume()
    error = storage_error(caught.value, "k", URL)
    server = own_moto.endpoint.removeprefix("http://")
    assert error.message == f"k: TimedOut (from {URL}): {server} did not answer in time"
    assert error.passing
