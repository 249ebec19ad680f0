"""The folders of a local store, and the paths in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from handrail_storage.backend.disk import disk_error, flush_folder
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.containment import Inside
from handrail_storage.errors import StorageError, TakenError
from handrail_storage.places import Place
from handrail_storage.store import Store

_IN_THE_WAY = (NotADirectoryError, IsADirectoryError, FileExistsError)


class LocalFolders(Store):
    """Folders below one folder."""

    def __init__(self, place: Place, caller: Caller = ANYBODY) -> None:
        super().__init__(place, caller)
        self.root = Path(place.path)
        self._inside = Inside(place.path)
        self._below = os.path.join(self.address, "")

    def prepare(self, record: Callable[[str], None]) -> None:
        """Create the folder, and those above it."""
        missing = [each for each in (self.root, *self.root.parents) if not os.path.lexists(each)]
        for folder in reversed(missing):
            record(str(folder))
            with self._converting_errors(str(folder)):
                folder.mkdir(exist_ok=True)
        with self._converting_errors(self.address):
            try:
                is_folder = stat.S_ISDIR(os.stat(self.root).st_mode)
            except FileNotFoundError:
                # The undo of another run took it away; what is stored there makes it again.
                is_folder = not self.root.is_symlink()
        if not is_folder:
            raise self.caller.error(
                f"{self.url} is not a folder", ways_out=(f"give another {self.caller.noun}",)
            )

    def withdraw(self, folders: Iterable[str]) -> None:
        """Remove the folders that are empty."""
        self._inside.forget()
        for folder in sorted(folders, key=len, reverse=True):
            below = folder.removeprefix(self._below)
            if below != folder:
                self._path(below)
            with suppress(OSError):
                os.rmdir(folder)

    def prune(self, keys: Iterable[str]) -> None:
        """Remove the folders, the inner ones first."""
        for key in keys:
            folder = os.path.dirname(key)
            with suppress(OSError):
                while folder:
                    os.rmdir(self._path(folder))
                    folder = os.path.dirname(folder)

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that are not there."""
        missing: dict[str, None] = {}
        seen: set[str] = set()
        for key in keys:
            above: list[str] = []
            folder = key.rpartition("/")[0]
            while folder and folder not in seen:
                seen.add(folder)
                path = self._path(folder)
                if not os.path.isdir(path):
                    above.append(path)
                folder = folder.rpartition("/")[0]
            missing.update(dict.fromkeys(reversed(above)))
        return list(missing)

    def flush(self, keys: Iterable[str] = ()) -> None:
        """Flush the folders that contain these keys, and those above them in the place."""
        folders: set[str] = set()
        for key in keys:
            folder = os.path.dirname(self._path(key))
            while folder not in folders and len(folder) >= len(self.address):
                folders.add(folder)
                folder = os.path.dirname(folder)
        for folder in sorted(folders):
            with self._converting_errors(folder):
                flush_folder(folder)

    # Paths and errors

    def _path(self, key: str) -> str:
        """Return the path of a key, after checking that no folder leads out of the place.

        Raises:
            StorageError: A folder leads out of the place.
        """
        self._inside.forget()  # A former folder may have become a link.
        return self._path_in_page(key)

    def _path_in_page(self, key: str) -> str:
        """Return the path of a key; a folder is checked once for all keys of a page.

        Raises:
            StorageError: A folder leads out of the place.
        """
        leads_up = ".." in key and ".." in key.split("/")
        if leads_up or not self._inside.holds(key.rpartition("/")[0]):
            raise self.caller.error(
                f"{key}: it leads out of {self.url}, where a folder is a link",
                ways_out=(f"give a {self.caller.noun} in which no folder leads elsewhere",),
            )
        return f"{self._below}{key}"

    def _converting_errors(
        self, about: str, *, putting: bool = False
    ) -> AbstractContextManager[None]:
        return _ErrorConversion(self, about, putting)

    def failure(
        self, about: str, error: OSError, *, putting: bool = False
    ) -> StorageError | TakenError:
        """Return an error of the operating system as a StorageError with the way out.

        If an object was to be put, and something else has its place, that is a TakenError.
        """
        if putting and isinstance(error, _IN_THE_WAY):
            return TakenError()
        return disk_error(error, about, self.url, self.caller)


class _ErrorConversion(AbstractContextManager[None]):
    """Turns errors of the operating system into a StorageError, or into a TakenError."""

    def __init__(self, store: LocalFolders, about: str, putting: bool) -> None:
        self._store = store
        self._about = about
        self._putting = putting

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise self._store.failure(self._about, error, putting=self._putting) from error
