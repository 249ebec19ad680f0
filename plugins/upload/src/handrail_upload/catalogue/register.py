"""The catalogue as its users see it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from handrail_upload.catalogue import preparation, publishing, reading, removal, staging
from handrail_upload.catalogue.address import SqliteAddress, parse
from handrail_upload.catalogue.database import Database, TablesGoneError
from handrail_upload.catalogue.postgres import PostgresDatabase
from handrail_upload.catalogue.rows import CatalogueFile, CatalogueUnit, Published, Removed
from handrail_upload.catalogue.sqlite import SqliteDatabase
from handrail_upload.errors import CatalogueError
from handrail_upload.units import DataUnit

if TYPE_CHECKING:
    from typing import Self


def open_catalogue(url: str, *, timeout: float = 10.0) -> Catalogue:
    """Return the catalogue at `url`; nothing is made, and it is connected to when it is used.

    Args:
        url: A path such as `photos.db`, `sqlite:///srv/photos.db`, or
            `postgresql://user@host/database` with what libpq takes as options.
        timeout: Seconds to wait for somebody else who holds it, and for a server to answer.

    Raises:
        CatalogueError: It leads to nothing that can be a catalogue, or has a password in it.
    """
    address = parse(url)
    if isinstance(address, SqliteAddress):
        return Catalogue(SqliteDatabase(address, timeout))
    return Catalogue(PostgresDatabase(address, timeout))


class Catalogue:
    """A register of collections, data units and data files, in a database that others read.

    What a run brings is staged in batches, and published all at once; what it has brought can be
    removed again. To be used from one thread at a time, and never in a forked child.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked = False

    @property
    def shown(self) -> str:
        """The database, for people; it has no secrets."""
        return self._database.shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; it is made again if need be."""
        self._checked = False
        self._database.close()

    def missing(self) -> list[str]:
        """Return what `prepare` would make, so that it can be recorded before: nothing is touched.

        Returns:
            `file` for an SQLite file, `tables`, `migration` for tables of an earlier version.

        Raises:
            CatalogueError: There is something else, or it cannot be opened.
        """
        return preparation.missing(self._database)

    def prepare(self, run: str) -> None:
        """Make what is missing, with a mark that `run` has made it.

        Harmless to do again, and when others do it at the same time.

        Raises:
            CatalogueError: It cannot be made; nothing was.
        """
        preparation.prepare(self._database, run)

    def withdraw(self, run: str, made: Collection[str]) -> None:
        """Remove the tables, and the file, that `prepare` has made for `run`, and only those.

        They stay as long as anything is in them, or if something else was built upon them.
        Harmless to do again, and when nothing was ever made.

        Args:
            run: The run; what has not its mark is not touched.
            made: What `missing` had returned before.

        Raises:
            CatalogueError: It cannot be removed, such as when another program holds it.
        """
        self._checked = False
        preparation.withdraw(self._database, run, made)

    def stage(self, run: str, collection: str, units: Iterable[DataUnit]) -> int:
        """Write `units` where nobody sees them yet; what is staged of them already is replaced.

        They are taken in batches of 2000, each of which is committed.

        Returns:
            How many there were.

        Raises:
            CatalogueError: They cannot be stored; what was committed before stays staged.
        """
        self._ready()
        return staging.stage(self._database, run, collection, units)

    def publish(self, run: str, collection: str) -> Published:
        """Make visible, at once, what `run` has staged for `collection`; then nothing is staged.

        A unit that is there with the same metadata and files stays as it is, and does not become
        one of this run. Otherwise its metadata, and those of its files that were staged, are
        replaced; what they were before is kept for `remove`. Files in other roles stay.

        Raises:
            CatalogueError: It cannot be stored; everything is as before, and staged.
        """
        self._ready()
        return publishing.publish(self._database, run, collection)

    def remove(self, run: str) -> Removed:
        """Take back all that `run` has staged and published.

        What it had changed gets its former values back, unless another run has changed it since:
        then it stays as it is. Harmless to do again, and when there is nothing.

        Raises:
            CatalogueError: It cannot be taken back; what was published is as before.
        """
        if not self._exists():
            return Removed()
        try:
            return removal.remove(self._database, run)
        except TablesGoneError:
            self._checked = False
            if self._exists():
                raise
            return Removed()

    def published(self, run: str) -> bool:
        """Return whether `run` has published anything that was new or different."""
        return self._exists() and reading.published(self._database, run)

    def progress_of(self, run: str, collection: str) -> tuple[Published | None, str]:
        """Return how far `run` had come when it was killed.

        Returns:
            What it has published, or None if nothing was new or different, or it had not come that
            far (then what it was at is not counted as unchanged); and the name of the last unit
            that it has staged, or "".
        """
        self._ready()
        return reading.progress_of(self._database, run, collection)

    def units_of(self, run: str) -> Iterator[CatalogueUnit]:
        """Return the data units with values of `run`; what others changed since is not its."""
        self._ready()
        return reading.units_of(self._database, run)

    def files_of(self, run: str) -> Iterator[CatalogueFile]:
        """Return the data files with values of `run`; what others changed since is not its."""
        self._ready()
        return reading.files_of(self._database, run)

    def find_units(self, collection: str) -> Iterator[CatalogueUnit]:
        """Return the data units of `collection`, by name; names sort by code point, as str does.

        Others may write while they are read, so what is changed meanwhile may be seen or not.
        """
        self._ready()
        return reading.find_units(self._database, collection)

    def find_files(self, collection: str) -> Iterator[CatalogueFile]:
        """Return the data files of `collection`, by name of their unit and role, like units."""
        self._ready()
        return reading.find_files(self._database, collection)

    def _exists(self) -> bool:
        return self._checked or "tables" not in self.missing()

    def _ready(self) -> None:
        if self._checked:
            return
        missing = self.missing()
        if missing:
            state = "is of an earlier version" if missing == ["migration"] else "is not there yet"
            raise CatalogueError(
                f"the catalogue {self.shown} {state}",
                ways_out=("an upload into it makes it, or brings it up to date",),
            )
        self._checked = True
