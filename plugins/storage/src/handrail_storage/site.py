"""Site: the places of a run according to its params; recorded data is checked against them."""

from __future__ import annotations

import os

from handrail.frozen import frozen
from handrail_storage.access import open_store
from handrail_storage.caller import Caller
from handrail_storage.containment import PLAIN, Folder, is_of_run, mark_of_run, text
from handrail_storage.errors import StorageError
from handrail_storage.places import Place, parse_place
from handrail_storage.store import Store


@frozen
class Site:
    """The place of a run and its state folder; the run creates files only there.

    A pack derives its own, with a method for each kind of value that its steps record. Each takes a
    recorded value and returns it where it stays within them; else it raises a ValueError with the
    reason, as `Notes.all` expects.

    Attributes:
        place: The place of its objects.
        folder: The same as a folder, if it is on this machine.
        state: The state folder of the project.
        run: The run; None where a step is undone outside of one, as in a test.
        retries: Number of retries when the storage fails for a moment.
        caller: The pack.
    """

    place: Place
    folder: Folder | None
    state: Folder
    run: str | None
    retries: int
    caller: Caller

    def open(self) -> Store:
        """Return the store, opened.

        Raises:
            StorageError: The credentials are malformed.
        """
        return open_store(self.place, self.caller, retries=self.retries)

    def address(self, noted: object) -> str:
        """Return the address of the place.

        Raises:
            ValueError: The params of the run name another one.
        """
        if self.folder is not None:
            return self.folder.itself(noted)
        try:
            there = parse_place(text(noted), self.caller)
        except StorageError as error:
            raise ValueError(error.message) from error
        if not there.is_same(self.place):
            raise ValueError(f"by the params of the run it is {self.place.shown}")
        return self.place.address

    def mark(self, noted: object) -> str:
        """Return the mark of the objects of the run.

        Raises:
            ValueError: The mark is that of another run.
        """
        return mark_of_run(noted, self.run)

    def claim(self, noted: object) -> str:
        """Return the name of a claim of the run: its own, with a suffix where it has several.

        Raises:
            ValueError: It is that of another run.
        """
        name = text(noted)
        if not is_of_run(name, rf"(?P<run>{PLAIN}?)(?:\.[0-9a-f]{{16}})?", self.run):
            raise ValueError("it is not that of this run")
        return name

    def probe(self, noted: object) -> str:
        """Return the key of the probe that was written to the place.

        Raises:
            ValueError: It is the probe of another run.
        """
        name = text(noted)
        if not is_of_run(name, rf"\.handrail-probe-(?P<run>{PLAIN})", self.run):
            raise ValueError("it is not that of this run")
        return name

    def made(self, noted: object) -> str:
        """Return the path of the folder of the place, or of one above it.

        Raises:
            ValueError: The path is another one, or the place is an object storage.
        """
        if self.folder is None:
            raise ValueError("an object storage has no folders")
        return self.folder.itself_or_above(noted)


def relative_path(given: str) -> str | None:
    """Return a path that leads from the working folder; None for URLs and absolute paths."""
    path = os.path.expanduser(given)
    return None if "://" in given or os.path.isabs(path) else path
