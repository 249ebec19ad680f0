"""Copies of objects on this machine, as the engine has no access to a network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.frozen import replace
from handrail_export.errors import SourceError
from handrail_export.sources.address import CALLER, Address
from handrail_export.staging import convert_disk_errors
from handrail_storage import open_store, parse_place

if TYPE_CHECKING:
    from handrail_storage import Listed, Place, Store

_WILD = re.compile(r"[*?\[]")
# Of the expression of a pattern: a star, and what stands before the next one.
_BETWEEN = re.compile(
    r"\[\^/\]\*((?:(?!\[\^/\]\*|\.\*|\(\?:\.\*/\)\?).)+)(?=\[\^/\]\*|\.\*)", re.DOTALL
)
_AT_A_TIME = 8


class Objects:
    """The objects of an address: one, or those that match a pattern such as `s3://b/in/*.csv`.

    Args:
        address: The address.
        retries: Number of retries when the storage fails for a moment.
        on_status: See `handrail_storage.open_store`.
    """

    def __init__(
        self,
        address: Address,
        *,
        retries: int = 8,
        on_status: Callable[[str | None], object] | None = None,
    ) -> None:
        self.address = address
        self._place: Place = parse_place(address.place, CALLER)
        parts = self._place.path.split("/")
        fixed = next((n for n, part in enumerate(parts) if _WILD.search(part)), len(parts) - 1)
        self._rest = "/".join(parts[fixed:])
        self._retries, self._on_status = retries, on_status
        path = "/".join(parts[:fixed])
        self._root = replace(self._place, path=path, shown=_shown(self._place, path), folder=True)

    @cached_property
    def store(self) -> Store:
        """The storage, at the folder that is above all of the objects."""
        return open_store(self._root, CALLER, retries=self._retries, on_status=self._on_status)

    def found(self) -> Mapping[str, Listed]:
        """Return the objects by key below `store`, in the order of their keys.

        Raises:
            SourceError: There is none.
            StorageError: The storage failed or refused.
        """
        if _WILD.search(self._rest):
            wanted = re.compile(_pattern(self._rest), re.DOTALL)
            listed = {each.key: each for each in self.store.listing()}
            found = {key: listed[key] for key in sorted(listed) if wanted.fullmatch(key)}
        else:
            found = dict(self.store.look_up([self._rest]))
        if not found:
            raise SourceError(f"there is no object {self.address.shown}")
        return found


def _shown(place: Place, path: str) -> str:
    bucket = f"{place.scheme}://{place.bucket}"
    return f"{bucket}/{path}" if path else bucket


def _pattern(text: str) -> str:
    """Return the regular expression of a pattern, in which `**` crosses folders."""
    made = ""
    for token in re.findall(r"\*\*/?|\*|\?|\[!?[^\]]+\]|.", text, re.DOTALL):
        if token.startswith("**"):
            made += "(?:.*/)?" if token.endswith("/") else ".*"
        elif token in ("*", "?"):
            made += "[^/]*" if token == "*" else "[^/]"
        elif len(token) > 1:
            made += token.replace("[!", "[^/", 1)
        else:
            made += re.escape(token)
    # What stands between two stars is taken where it is first, so that nothing is tried twice.
    return _BETWEEN.sub(r"(?>[^/]*?\1)", made)


class Fetched:
    """Copies of the objects of an address, in a folder of their own that `close` deletes.

    Args:
        objects: The objects.
        folder: The folder; it need not exist yet.
    """

    def __init__(self, objects: Objects, folder: Path) -> None:
        self._objects = objects
        self._folder = folder

    def files(self, address: Address) -> tuple[str, ...]:
        """Fetch the objects; return the paths of their copies, in the order of their keys.

        Raises:
            SourceError: There is no object, or one has changed meanwhile.
            StorageError: The storage failed or refused, or the folder cannot be written.
        """
        found = self._objects.found()
        self.close()
        with (
            convert_disk_errors(self._folder),
            ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="handrail-fetch") as pool,
        ):
            self._folder.mkdir(parents=True)
            paths = tuple(pool.map(self._fetch, range(len(found)), found.values()))
        now = self._objects.found()
        for key, each in found.items():
            if key not in now or not each.is_same(now[key]):
                raise SourceError(f"{address.shown} has changed while it was read: {key}")
        return paths

    def close(self) -> None:
        """Delete the copies. Calling it twice is harmless."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self, number: int, found: Listed) -> str:
        name = f"{number:06}-{os.path.basename(found.key)[-100:]}"
        path = self._folder / name
        with path.open("xb") as file:
            for block in self._objects.store.blocks(found.key):
                file.write(block)
        return str(path)
