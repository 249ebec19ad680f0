"""Finds out which conditions an object storage honours, with a small object."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

from handrail_storage.backend.deleting import delete_all, deletes_only
from handrail_storage.backend.requests import MARK, Requests, quoted
from handrail_storage.caller import Caller
from handrail_storage.errors import StorageError
from handrail_storage.stored import Capabilities

if TYPE_CHECKING:
    from obstore import Attributes

_FEW = 2  # Retries, of requests that may be refused as if the storage failed.
_CONTENT = b"handrail asks whether it may write here\n"


def probed(requests: Requests, key: str, mark: str, caller: Caller) -> Capabilities:
    """Write and delete a small object, and return what the storage was seen to do.

    A condition counts only if the storage refuses a request that it forbids, and obeys one that it
    allows.

    Args:
        requests: The bucket.
        key: The key of the object.
        mark: Its mark.
        caller: The pack, for the class and the words of errors.

    Raises:
        StorageError: The bucket cannot be written or read, or keeps no metadata.
    """
    probe = _Probe(requests, key, mark)
    etag = probe.put("overwrite")
    create_only = probe.refuses("create")
    found = requests.stat(key)
    if found is None:
        raise caller.error(f"{key}: what was just written is not there (at {requests.url})")
    another = None if found.etag is None else _another(found.etag)
    replace_if = probe.replaces_if(found.etag, another)
    found = requests.stat(key) or found
    delete_if = another is not None and deletes_only(requests, found, another)
    delete_all(requests, [key])
    if found.mark != mark:
        raise caller.error(
            f"{requests.url} does not keep user metadata, so what a run has made could not be told "
            "from what others have",
            ways_out=(f"give another {caller.noun}",),
        )
    return Capabilities(
        create_only=create_only,
        etag_is_md5=etag == hashlib.md5(_CONTENT, usedforsecurity=False).hexdigest(),
        marks=True,
        replace_if=replace_if,
        delete_if=delete_if,
    )


class _Probe:
    """A small object, and what happens to it."""

    def __init__(self, requests: Requests, key: str, mark: str) -> None:
        self._requests = requests
        self._key = key
        self._attributes: Attributes = requests.attributes_of(key, {MARK: mark})

    def put(self, mode: Any, retries: int | None = None) -> str | None:
        """Put it, and return its ETag."""
        return self._requests.again(
            self._requests.url,
            lambda: self._requests.put(self._key, _CONTENT, self._attributes, mode),
            retries=retries,
        )

    def refuses(self, mode: Any, retries: int | None = None) -> bool:
        """Put it; return whether the storage refused, and knows the mode."""
        try:
            self.put(mode, retries)
        except (AlreadyExistsError, PreconditionError):
            return True
        except NotSupportedError:
            pass
        return False

    def replaces_if(self, etag: str | None, another: str | None) -> bool:
        """Return whether only a put is obeyed that names the ETag of the stored object."""
        if etag is None or another is None:
            return False
        with suppress(StorageError):  # Some refuse the header itself, in many ways.
            if self.refuses({"e_tag": quoted(another)}, _FEW):
                return not self.refuses({"e_tag": quoted(etag)}, _FEW)
        return False


def _another(etag: str) -> str:
    """Return an ETag of the same form that the stored content does not have."""
    return etag[:-1] + ("1" if etag.endswith("0") else "0")
