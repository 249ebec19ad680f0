"""Looks at many objects of a bucket at once, by listing the part of it with their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, cast

import obstore
from obstore.exceptions import InvalidPathError

from handrail_storage.backend.requests import Requests, bare
from handrail_storage.errors import StorageError
from handrail_storage.stored import Listed

_FEW = 16  # Up to this number of keys, single requests are as fast.


def listed_below(requests: Requests, prefix: str, offset: str | None = None) -> Iterator[Listed]:
    """Yield the objects below a prefix, in the order of their keys, a thousand in each request.

    Args:
        requests: The bucket.
        prefix: Empty, or ends with a slash.
        offset: Yield only what comes after this key.

    Raises:
        StorageError: The storage failed or refused.
    """
    before = requests.prefix
    with requests.patiently(f"listing {requests.url}"):
        # Its overloads name a type that does not exist.
        batches: Any = cast("Any", obstore).list(
            requests.patient,
            prefix=f"{before}{prefix}" or None,
            offset=None if offset is None else f"{before}{offset}",
        )
        for batch in batches:
            for meta in batch:
                key = meta["path"].removeprefix(before)
                yield Listed(
                    key=key,
                    size=meta["size"],
                    etag=bare(meta["e_tag"]),
                    modified=int(meta["last_modified"].timestamp()) * 10**9,
                )


def from_listing(
    requests: Requests, keys: Sequence[str]
) -> tuple[dict[str, Listed], Sequence[str]]:
    """Look at objects by listing the part of the bucket with their keys.

    Args:
        requests: The bucket.
        keys: The keys, sorted.

    Returns:
        The objects by key, and the keys that have to be asked for singly: few keys, and those after
        the point up to which too many other objects were listed.

    Raises:
        StorageError: The storage failed or refused.
    """
    if len(keys) <= _FEW:
        return {}, keys
    wanted, found, last = set(keys), dict[str, Listed](), ""
    most = 1000 + 4 * len(keys)
    ordered = keys if "".join(keys).isascii() else sorted(keys, key=_utf16)
    first, end = ordered[0], ordered[-1]
    # The offset itself is left out of a listing, so it is cut short.
    offset = os.path.commonprefix([keys[0][:-1], first])  # noqa: RUF071 - of any texts, as here
    try:
        listing = listed_below(requests, _folder(keys[0], keys[-1]), offset or None)
        for count, each in enumerate(listing):
            if each.key < last:  # Not every storage lists in order.
                return found, [key for key in keys if key not in found]
            if each.key in wanted:
                found[each.key] = each
            last = each.key
            if last >= keys[-1] and _utf16(last) >= _utf16(end):
                return found, ()
            if count > most:
                break
        else:
            return found, ()
    except StorageError as error:
        # Others may have keys that this client does not take, such as `a//b`; there it gives up.
        if not isinstance(error.__context__, InvalidPathError):
            raise
    return found, [key for key in keys if key > last or _utf16(key) > _utf16(last)]


def _utf16(key: str) -> bytes:
    """Return what sorts as UTF-16 does: some storages list so, and most by code points."""
    return key.encode("utf-16-be", "surrogatepass")


def _folder(first: str, last: str) -> str:
    """Return the folder that two keys share, with a slash at its end; empty for none."""
    shared = 0
    for position, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            break
        if one == "/":
            shared = position + 1
    return first[:shared]
