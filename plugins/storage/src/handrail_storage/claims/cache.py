"""Keeps what was read of the claims of targets, as far as it cannot have changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from handrail_storage.backend.contents import Content
from handrail_storage.claims.lists import digest_of
from handrail_storage.claims.records import ClaimState, Entry

_MOST = 100  # Lists that are kept, those that were used last.


class Cache:
    """Lists by their digests, and states by the versions that a listing reports.

    Nothing depends on it: what is missing or damaged is read from the target again, and a folder
    that cannot be written keeps nothing.

    Args:
        folder: The folder; None to keep nothing.
        writes: Whether anything may be written there; False for a preview.
    """

    def __init__(self, folder: Path | None = None, *, writes: bool = True) -> None:
        self._folder = folder
        self._writes = writes

    def read(self, digest: str) -> Content | None:
        """Return a list, or None."""
        if self._folder is None:
            return None
        path = self._folder / f"{digest}.gz"
        with suppress(OSError, ValueError):
            content = Content.at(path)
            if digest_of(content) == digest:
                if self._writes:
                    os.utime(path)
                return content
        return None

    def keep(self, digest: str, content: Content) -> None:
        """Keep a list."""
        if not self._writes or self._folder is None or (self._folder / f"{digest}.gz").exists():
            return
        self._write(f"{digest}.gz", content)
        with suppress(OSError):
            kept = sorted(self._folder.glob("*.gz"), key=lambda path: path.stat().st_mtime)
            for path in kept[:-_MOST]:
                path.unlink(missing_ok=True)

    def states(self, url: str) -> Mapping[str, Entry]:
        """Return the claims of a target that were kept, by run."""
        known: dict[str, Entry] = {}
        if self._folder is None:
            return known
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            document: dict[str, Any] = json.loads((self._folder / _name_of(url)).read_bytes())
            for run, (version, text) in document.items():
                state = ClaimState.from_json(str(text).encode(), run)
                known[run] = Entry(state=state, version=str(version))
        return known

    def keep_states(self, url: str, entries: Iterable[Entry]) -> None:
        """Keep the claims of a target, in place of those before, and the lists that they name."""
        if not self._writes or self._folder is None:
            return
        document = {
            each.state.run: [each.version, each.state.to_json().decode()] for each in entries
        }
        content = json.dumps(document).encode()
        path = self._folder / _name_of(url)
        with suppress(OSError):
            if path.read_bytes() == content:
                return
        self._write(_name_of(url), Content(content))

    def _write(self, name: str, content: Content) -> None:
        assert self._folder is not None
        temporary = self._folder / f"{name}.{os.getpid()}.tmp"
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            with temporary.open("wb") as file:
                content.write_to(file)
            os.replace(temporary, self._folder / name)


def forget_cache(folder: Path) -> None:
    """Delete what a `Cache` has kept, also what a killed process was about to, and its folder.

    Whoever is about to keep something there keeps nothing. A folder with anything else in it stays.

    Raises:
        OSError: A file cannot be deleted.
    """
    if not folder.is_dir() or folder.is_symlink():
        return
    for pattern in ("*.gz", "*.json", "*.tmp"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _name_of(url: str) -> str:
    return f"{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"
