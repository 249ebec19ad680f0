"""Catalogue: the public interface of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from handrail_upload.catalogue import preparation, publishing, reading, removal
from handrail_upload.catalogue.address import SqliteAddress, parse
from handrail_upload.catalogue.database import Database, TablesGoneError
from handrail_upload.catalogue.rows import Published, Removed
from handrail_upload.catalogue.sqlite import SqliteDatabase
from handrail_upload.catalogue.tables import identity_of
from handrail_upload.errors import CatalogueError
from handrail_upload.listing import Listing
from handrail_upload.units import DataUnit

if TYPE_CHECKING:
    from typing import Self

    from handrail_upload.catalogue.postgres import OnStatus


def open_catalogue(
    url: str,
    *,
    timeout: float = 10.0,
    known: bool = False,
    on_status: OnStatus = lambda status: None,
) -> Catalogue:
    """Return the catalogue at `url`; nothing is created, and it connects on first use.

    A server that has answered before, and does not any more, is waited for.

    Args:
        url: A path such as `photos.db`, `sqlite:///srv/photos.db`, or
            `postgresql://user@host/database` with options of libpq.
        timeout: Seconds to wait for a lock of another process, and for a server to answer.
        known: Whether it has answered before, maybe to another process.
        on_status: Called with what it waits for, such as `retrying 2, for up to 74 s: the catalogue
            cannot be reached: ...`; with None once it goes on.

    Raises:
        CatalogueError: The URL cannot be that of a catalogue, or contains a password.
    """
    address = parse(url)
    if isinstance(address, SqliteAddress):
        return Catalogue(SqliteDatabase(address, timeout))
    from handrail_upload.catalogue.postgres import PostgresDatabase  # noqa: PLC0415 - a server

    return Catalogue(PostgresDatabase(address, timeout, known=known, on_status=on_status))


class Catalogue:
    """A register of collections, data units and data files, in a database that other tools read.

    The rows of a run are published all at once, and can be removed again. Use it from one thread at
    a time, and never in a forked child.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def shown(self) -> str:
        """The database, for people; it has no secrets."""
        return self._database.shown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; it is opened again on the next use."""
        self._database.close()

    def missing(self) -> list[str]:
        """Return the parts that `prepare` would create, to be recorded before; nothing is changed.

        Returns:
            `file` for an SQLite file, `tables`.

        Raises:
            CatalogueError: The database is not a catalogue, or cannot be opened.
        """
        return preparation.missing(self._database)

    def is_empty(self) -> bool:
        """Return whether nothing is registered, or there are no tables for it.

        Raises:
            CatalogueError: The database is not a catalogue, or cannot be opened.
        """
        return bool(self.missing()) or self._database.is_empty()

    def identity(self) -> str:
        """Return a text that no other catalogue has, whatever its address; empty without tables.

        Raises:
            CatalogueError: The database is not a catalogue, or cannot be opened.
        """
        return identity_of(self._database) if self._exists() else ""

    def prepare(self, run: str) -> None:
        """Create the missing parts, marked as created by `run`.

        Safe to repeat, and to call from several processes at once.

        Raises:
            CatalogueError: The parts could not be created; nothing was changed.
        """
        preparation.prepare(self._database, run)

    def withdraw(self, run: str, made: Collection[str]) -> None:
        """Remove the tables and the file that `prepare` has created for `run`, and only those.

        They stay as long as they contain anything, or other objects depend on them. Safe to repeat,
        and if nothing was created.

        Args:
            run: The run; parts without its mark are not touched.
            made: The earlier result of `missing`.

        Raises:
            CatalogueError: The parts cannot be removed, such as when another program uses them.
        """
        preparation.withdraw(self._database, run, made)

    def withdraw_abandoned(self) -> None:
        """Remove a file that `withdraw` has had to leave, once nothing is registered there.

        It stays if another program uses it.
        """
        preparation.withdraw_abandoned(self._database)

    def publish(
        self,
        run: str,
        collection: str,
        listing: Listing,
        *,
        confirm: Callable[[], None] = lambda: None,
    ) -> Published:
        """Make the data units of `listing` visible in `collection`, all at once.

        A published unit with the same metadata and files stays unchanged, and does not become one
        of this run; if all are, nothing is written. Otherwise its metadata, and those of its files
        that differ, are replaced; the former values are kept for `remove`. Files in other roles
        stay.

        Args:
            run: The run.
            collection: The name of the collection.
            listing: The data units.
            confirm: Called once no other run can register there before this one has; if it raises,
                nothing is changed.

        Raises:
            CatalogueError: The rows cannot be stored; nothing was changed.
        """
        self._ready()
        attempts = count()

        def publish() -> Published:
            again = next(attempts)
            published = publishing.publish(self._database, run, collection, listing, confirm)
            # An attempt whose connection broke may have been committed.
            unknown = again and published == Published()
            return (unknown and reading.published(self._database, run)) or published

        return self._database.patiently(publish)

    def remove(
        self,
        run: str,
        passing_on: Callable[[], Iterable[tuple[str, str]]] = tuple,
        in_place: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> Removed:
        """Remove everything that `run` has published.

        Changed rows get their former values back, unless another run has changed them since: then
        they stay as they are. Safe to repeat, and if there is nothing.

        Args:
            run: The run.
            passing_on: Returns the keys of files that stay, each with the run that relies on it;
                their rows, and those of their units, become rows of that run.
            in_place: Returns the locations of files that stay though the run had replaced others
                there, each with its SHA-256; former values that describe them come back.

        Raises:
            CatalogueError: The removal failed; published rows are unchanged.
        """
        if not self._exists():
            return Removed()
        try:
            return self._database.patiently(
                lambda: removal.remove(self._database, run, passing_on(), in_place())
            )
        except TablesGoneError:  # Another undo has just taken them away, all at once.
            return Removed()

    def published(self, run: str) -> Published | None:
        """Return what `run` has published; None if nothing that was new or different.

        A server may still be at work for a process of the run that was killed; that is waited for.

        Raises:
            CatalogueError: The catalogue cannot be read, or that took too long.
        """
        if not self._exists():
            return None
        return self._database.patiently(lambda: reading.published(self._database, run))

    def units(self, collection: str) -> Iterator[DataUnit]:
        """Return the data units of `collection`, by name; names sort by code point, as str does.

        Others may write during the reading; concurrent changes may be seen or not.
        """
        self._ready()
        return reading.units(self._database, collection)

    def _exists(self) -> bool:
        return "tables" not in self.missing()

    def _ready(self) -> None:
        if self.missing():
            raise CatalogueError(
                f"the catalogue {self.shown} is not there yet",
                ways_out=("an upload into it makes it",),
            )
