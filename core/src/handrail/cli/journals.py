"""Which journal a command works with: the project's own, or one that is named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from handrail.errors import AmbiguousNameError, JournalError, JournalUrlError, NotFoundError
from handrail.journal.opening import open_journal
from handrail.settings.atomic import OWN_FOLDER
from handrail.settings.load import JOURNAL

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.opening import JournalFactory
    from handrail.journal.protocol import Journal

FILE = "runs.db"
WITHOUT = "or run it without one, so that only this process can undo it:  --no-journal"


def journal_option() -> click.Option:
    """Return the option that names a journal."""
    return click.Option(
        ["--journal"],
        metavar="URL",
        help=f"Keep runs in this journal instead of {OWN_FOLDER}/{FILE} of the project: a file, or "
        f"a URL. {JOURNAL} names one for every call.",
    )


def named(url: str | None) -> str | None:
    """Return the journal that the option or the variable names, or None for the usual one."""
    return url or os.environ.get(JOURNAL) or None


def opened(session: Session, url: str | None, *, create: bool = False) -> Journal:
    """Open the journal that a call works with.

    Args:
        session: The call.
        url: What `--journal` says.
        create: Whether to make the file where there is none.

    Raises:
        JournalUrlError: It leads to nothing that can be a journal.
        NotFoundError: There is no such file, and none is to be made.
        JournalError: The journal cannot be used.
    """
    given = named(url)
    try:
        return open_journal(
            given,
            default=usual(session),
            find=lambda scheme: _factory(session, scheme),
            create=create,
        )
    except JournalUrlError:
        raise
    except JournalError as error:
        if create:
            _cannot_begin(error)
        raise


def usual(session: Session) -> Path:
    """Return the path of the project's own journal, from the working folder where that is short."""
    folder = session.packs.settings.project.folder
    file = folder / OWN_FOLDER / FILE
    return file.relative_to(session.folder) if folder == session.folder else file


def _cannot_begin(error: JournalError) -> NoReturn:
    ways_out = (*error.ways_out, WITHOUT)
    raise JournalError(f"{error.message}; nothing was run", ways_out=ways_out) from error.__cause__


def _factory(session: Session, scheme: str) -> JournalFactory | None:
    """Return what a pack that is on brings for a URL scheme; only that pack is imported."""
    found = [
        (record, entry)
        for record in session.packs.records
        if record.is_used
        for entry in record.offered("journals")
        if entry.name == scheme
    ]
    if not found:
        return None
    if len(found) > 1:
        owners = " and ".join(str(record.origin) for record, _ in found)
        raise AmbiguousNameError(
            f"{len(found)} packs bring '{scheme}' journals: {owners}",
            ways_out=tuple(f"leave one out:  --no-pack {record.id}" for record, _ in found),
        )
    from handrail.packs.loader import import_target  # noqa: PLC0415 - for this pack only

    factory: JournalFactory = import_target(*found[0])
    return factory


def number_of(text: str) -> int:
    """Return the number of a run as a person gives it.

    Raises:
        NotFoundError: It is none.
    """
    if not text.isdecimal() or len(text) > 18:
        raise NotFoundError(
            f"'{text}' is no number of a run", ways_out=("handrail runs lists them",)
        )
    return int(text)
