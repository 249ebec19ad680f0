"""Lazy sequences of rows of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, overload

from handrail_upload.manifest.manifest import Manifest


class Rows(Sequence[dict[str, Any]]):
    """Rows of a manifest as dicts; each access reads them, and none is cached.

    They can be read after the upload as well. After an undo they are empty.

    Args:
        manifest: The manifest, or its path if it is not to be opened yet.
        count: Counts the rows.
        rows: Yields them.
    """

    def __init__(
        self,
        manifest: Manifest | Path,
        count: Callable[[Manifest], int],
        rows: Callable[[Manifest], Iterator[dict[str, Any]]],
    ) -> None:
        self._manifest = manifest
        self._count = count
        self._rows = rows

    def __len__(self) -> int:
        with self._opened() as manifest:
            return 0 if manifest is None else self._count(manifest)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self._opened() as manifest:
            if manifest is not None:
                yield from self._rows(manifest)

    @contextmanager
    def _opened(self) -> Generator[Manifest | None, None, None]:
        manifest = self._manifest
        path = manifest if isinstance(manifest, Path) else manifest.path
        if isinstance(manifest, Manifest) and not manifest.closed:
            yield manifest
        elif not path.is_file():
            yield None
        else:
            with closing(Manifest(path, make=False)) as again:
                yield again

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return list(self)[place]


def files_in(manifest: Manifest | Path, *states: str) -> Rows:
    """Return the files of `manifest` in these states, or all."""
    return Rows(
        manifest,
        lambda opened: opened.count(*states),
        lambda opened: (each.to_dict() for each in opened.files(*states)),
    )


def units_in(manifest: Manifest | Path, location: str, *states: str) -> Rows:
    """Return the data units of `manifest` with files in these states."""

    def rows(opened: Manifest) -> Iterator[dict[str, Any]]:
        for unit in opened.units(location, *states):
            files = [{"role": each.role, "location": each.location} for each in unit.files]
            yield {"name": unit.name, "metadata": dict(unit.metadata), "files": files}

    return Rows(manifest, lambda opened: opened.count_units(*states), rows)
