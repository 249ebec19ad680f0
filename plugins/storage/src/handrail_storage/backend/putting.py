"""Puts objects where nothing of others may be replaced, also when a request is sent again.

A storage may do what it was asked and fail to say so. Until the next attempt somebody else may have
stored an object there, so each attempt asks anew whether it may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

from handrail_storage.backend.requests import Requests, quoted
from handrail_storage.errors import TakenError
from handrail_storage.stored import Capabilities, Listed, Stored

if TYPE_CHECKING:
    from obstore import Attributes


def put_unless_taken(
    requests: Requests,
    capabilities: Capabilities,
    key: str,
    content: bytes | memoryview,
    attributes: Attributes,
    *,
    replacing: str | None,
    free: Callable[[Stored | None], bool],
    ours: Callable[[Stored], bool],
    pause: Callable[[float], None] | None = None,
) -> str | None:
    """Put an object in one request, and return its ETag.

    The storage is asked to refuse if another object is there. Where it was not seen to do that, the
    key is looked at before each attempt; what others put there after that look, a moment before, is
    replaced.

    Args:
        requests: The bucket.
        capabilities: What the storage was seen to do.
        key: The key.
        content: The content.
        attributes: The attributes of the object.
        replacing: The ETag of the object that may be replaced, or nothing if it has none; None if
            nothing may be there.
        free: Whether the object may be put, from what is there.
        ours: Whether an object is what an earlier attempt has put.
        pause: Waits so many seconds between two attempts.

    Raises:
        TakenError: Another object is there, or the one to replace is gone.
        StorageError: All attempts failed, or the storage refused.
    """
    sure = capabilities.create_only if replacing is None else capabilities.replace_if
    mode: Any = "create"
    if replacing is not None:
        sure = sure and replacing != ""
        mode = {"e_tag": quoted(replacing)} if sure else "overwrite"

    def put() -> str | None:
        nonlocal sure, mode
        try:
            return requests.put(key, content, attributes, mode)
        except (AlreadyExistsError, PreconditionError) as error:
            refused = requests.failure(error, key)
            if refused.passing:
                raise refused  # noqa: B904 - it says all that `error` does
            raise TakenError from None
        except FileNotFoundError as error:
            if replacing is None or "NoSuchBucket" in str(error):
                raise
            raise TakenError from None  # What was to be replaced is gone.
        except NotSupportedError:
            sure, mode = False, "overwrite"
        must_be_free(requests, key, free)
        return put()

    def look_and_put() -> str | None:
        if not sure:
            must_be_free(requests, key, free)
        return put()

    return attempts_unless_taken(requests, key, look_and_put, ours=ours, pause=pause)


def attempts_unless_taken(
    requests: Requests,
    key: str,
    attempt: Callable[[], str | None],
    *,
    ours: Callable[[Stored], bool],
    pause: Callable[[float], None] | None = None,
) -> str | None:
    """Make attempts to store an object, and return its ETag.

    Args:
        requests: The bucket.
        key: The key.
        attempt: Makes one, and returns the ETag if it is told; raises TakenError if another object
            is there.
        ours: Whether that is what an earlier attempt has put, whose answer was lost.
        pause: Waits so many seconds between two attempts.

    Raises:
        TakenError: Another object is there.
        StorageError: All attempts failed, or the storage refused.
    """
    attempts = 0

    def once() -> str | None:
        nonlocal attempts
        attempts += 1
        try:
            return attempt()
        except TakenError:
            found = requests.ask(key) if attempts > 1 else None
            if found is None or not ours(found):
                raise
            return found.etag

    return requests.again(key, once, pause=pause)


def must_be_free(requests: Requests, key: str, free: Callable[[Stored | None], bool]) -> None:
    """Look at a key once.

    Raises:
        TakenError: Another object is there than may be replaced.
        StorageError: The storage failed or refused.
    """
    if not free(requests.ask(key)):
        raise TakenError


def is_expected(there: Listed | None, expected: Listed | None) -> bool:
    """Return whether what is there is the object that may be replaced; None is nothing."""
    if there is None or expected is None:
        return there is expected
    return there.is_same(expected)
