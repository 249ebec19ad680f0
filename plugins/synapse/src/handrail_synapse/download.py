"""Files that the service names by URL."""

from __future__ import annotations

import shutil
import urllib.request
from http.client import HTTPException
from pathlib import Path
from time import sleep
from typing import IO, Any, cast
from urllib.parse import urljoin, urlsplit

_TRIES = 4
_SECONDS = 60.0


def opened(url: str) -> IO[bytes]:
    """Return the open answer to a request.

    Raises:
        ValueError: It is no URL of the web.
        OSError: The server did not answer, or with an error.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is no URL of the web")
    return cast("IO[bytes]", urllib.request.urlopen(url, timeout=_SECONDS))


def fetched(place: Any, to: Path, base: str | None = None) -> None:
    """Write a file to `to`, which stays untouched if that fails; a lost connection is tried again.

    Args:
        place: The URL of the file, below `base` if it has no scheme; without `base`, its path on
            this machine.
        to: Where to write it.
        base: The URL of the service, or None.

    Raises:
        OSError: There is no such file, or it cannot be had.
    """
    named = str(place)
    url = named
    if not named.startswith(("http://", "https://")):
        if base is None:
            shutil.copyfile(named, to)
            return
        url = urljoin(f"{base.rstrip('/')}/", named.lstrip("/"))
    partial = to.with_name(f"{to.name}.part")
    try:
        for left in reversed(range(_TRIES)):
            try:
                with opened(url) as answer, partial.open("wb") as file:
                    shutil.copyfileobj(answer, file)
                break
            except (OSError, HTTPException) as error:
                if not left or getattr(error, "code", 500) < 500:
                    raise
                sleep(2.0 ** (_TRIES - 1 - left) / 4)
        partial.replace(to)
    finally:
        partial.unlink(missing_ok=True)
