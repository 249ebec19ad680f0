"""Deletes objects of a bucket: many in one request, or each on the condition of its ETag.

The client deletes without conditions only. It signs the URL of a request though, and the condition
is a header that needs no signature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import obstore

from handrail_storage.backend.looking import from_listing
from handrail_storage.backend.requests import Requests, quoted
from handrail_storage.errors import StorageError
from handrail_storage.stored import Listed

if TYPE_CHECKING:
    from handrail_storage.stored import Stored

Report = Callable[[int], None]

PAGE = 1000  # Objects in one request to list.

_REQUESTS = 8  # To delete many objects, at a time.
_MOST = 25  # Objects in each; of more in one request, some servers delete one after another.
_SOON = 0.5  # Seconds between two reports of progress.
_CONNECTIONS = 32  # For single requests.
_TIMEOUT = 60  # Seconds for an answer.
_VALID = timedelta(minutes=30)  # Of the signatures for one page.
_SIGNED = ("s3", "az")  # Schemes whose condition to delete is the ETag.


def delete_all(requests: Requests, keys: Sequence[str], progress: Report | None = None) -> None:
    """Delete objects, up to 25 in each request; missing ones are ignored.

    The first requests have few, so that progress is told soon: a server may take 30 ms for each.

    Args:
        requests: The bucket.
        keys: The keys.
        progress: Called with the number of objects in each request that was answered.

    Raises:
        StorageError: The storage failed or refused.
    """
    paths, start = [requests.path(key) for key in keys], 0
    parts: list[Sequence[str]] = []
    while start < len(paths):
        end = start + min(1 + start // _REQUESTS, _MOST)
        parts.append(paths[start:end])
        start = end
    with ThreadPoolExecutor(_REQUESTS) as pool:
        for count in pool.map(partial(_delete, requests), parts):
            (progress or _untold)(count)


def _delete(requests: Requests, paths: Sequence[str]) -> int:
    """Delete objects in one request; return their number."""
    with requests.patiently(f"deleting {paths[0].removeprefix(requests.prefix)}"):
        try:
            obstore.delete(requests.patient, paths)
        except FileNotFoundError:
            # Some storages report a missing object as an error, and then stop.
            for path in paths:
                with suppress(FileNotFoundError):
                    obstore.delete(requests.patient, path)
    return len(paths)


def delete_unchanged(
    requests: Requests,
    found: Sequence[Listed],
    *,
    conditional: bool,
    progress: Report | None = None,
) -> set[str]:
    """Delete objects that are still the ones that were found; missing ones are ignored.

    Args:
        requests: The bucket.
        found: The objects.
        conditional: Whether the storage takes the condition; else each page is listed just before
            it is deleted.
        progress: Called with the number of objects that were dealt with since the last call.

    Returns:
        The keys under which there is another object now.

    Raises:
        StorageError: The storage failed or refused.
    """
    ordered = sorted(found, key=lambda each: each.key)
    delete = _delete_each if conditional else _look_and_delete
    changed: set[str] = set()
    for start in range(0, len(ordered), PAGE):
        changed |= delete(requests, ordered[start : start + PAGE], progress or _untold)
    return changed


def deletes_only(requests: Requests, found: Stored, another: str) -> bool:
    """Return whether a request to delete is refused for another ETag, and else obeyed.

    Args:
        requests: The bucket.
        found: A small object, which is deleted.
        another: An ETag that it does not have.
    """
    if found.etag is None or requests.scheme not in _SIGNED or _needs_proxy():
        return False
    wrong = Listed(key=found.key, size=found.size, etag=another)
    with suppress(StorageError):
        refused = _delete_each(requests, [wrong], _untold, retries=0) == {found.key}
        if refused and requests.stat(found.key) is not None:
            obeyed = _delete_each(requests, [found], _untold, retries=0) == set()
            return obeyed and requests.stat(found.key) is None
    return False


def _untold(_count: int) -> None:
    """Tell nobody of the progress."""


def _look_and_delete(requests: Requests, page: Sequence[Listed], progress: Report) -> set[str]:
    there, rest = from_listing(requests, [each.key for each in page])
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        asked = pool.map(requests.stat, rest)
        there.update((each.key, each) for each in asked if each is not None)
    same = [each.key for each in page if each.key in there and each.is_same(there[each.key])]
    progress(len(page) - len(same))
    delete_all(requests, same, progress)
    return there.keys() - set(same)


def _delete_each(
    requests: Requests, page: Sequence[Listed], progress: Report, retries: int | None = None
) -> set[str]:
    """Delete each object with a request that has its ETag as the condition."""
    paths = [requests.path(each.key) for each in page]
    with requests.converting_errors(f"deleting {page[0].key}"):
        urls: list[str] = cast("Any", obstore).sign(requests.client, "DELETE", paths, _VALID)
    signed = list(zip(page, urls, strict=True))
    done: list[str] = []

    def some(number: int) -> set[str]:
        wire, changed = _Wire(requests), set[str]()
        try:
            for each, url in signed[number::_CONNECTIONS]:
                if not wire.delete(each, url, retries):
                    changed.add(each.key)
                done.append(each.key)
        finally:
            wire.close()
        return changed

    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        parts = [pool.submit(some, number) for number in range(min(len(signed), _CONNECTIONS))]
        told, left = 0, True
        while left:
            left = bool(wait(parts, _SOON).not_done)
            progress(len(done) - told)
            told = len(done)
        return set[str]().union(*(each.result() for each in parts))


class _Wire:
    """A connection for signed requests, opened when it is needed."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._connection: HTTPConnection | None = None

    def delete(self, found: Listed, url: str, retries: int | None) -> bool:
        """Delete an object that still has its ETag; return False if it has another one."""
        return self._requests.again(found.key, lambda: self._delete(found, url), retries=retries)

    def _delete(self, found: Listed, url: str) -> bool:
        status, said = self._send(urlsplit(url), found)
        if 200 <= status < 300 or (status == 404 and "NoSuchBucket" not in said):
            return True
        if status == 412:  # Also if it is gone, as after an attempt whose answer was lost.
            return self._requests.ask(found.key) is None
        error = OSError(f"Server returned non-2xx status code: {status} : {said}")
        raise self._requests.failure(error, found.key)

    def _send(self, url: SplitResult, found: Listed) -> tuple[int, str]:
        headers = {"If-Match": quoted(found.etag or "")}
        try:
            self._connection = self._connection or _connection(url)
            self._connection.request("DELETE", f"{url.path}?{url.query}", headers=headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (HTTPException, OSError) as error:
            self.close()
            raise self._requests.broken(found.key) from error

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connection(url: SplitResult) -> HTTPConnection:
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.netloc, timeout=_TIMEOUT)


def _needs_proxy() -> bool:
    """Return whether requests have to go through a proxy, which only the client knows how to."""
    return bool({"http", "https", "all"} & getproxies().keys())
