"""The journal and the executor of a call: those of the project, or those that are named."""

from __future__ import annotations

import os
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handrail.atomic import OWN_FOLDER
from handrail.builtin.cli.session import Session
from handrail.builtin.project.configuration import EXECUTOR, JOURNAL
from handrail.errors import HandrailError, JournalError, JournalUrlError, NotFoundError
from handrail.frozen import replace
from handrail.journal import open_journal
from handrail.packs import Value, default_url, is_local, place_of, settings_error

if TYPE_CHECKING:
    from handrail.journal import Journal

FILE = "runs.db"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://|sqlite:"
_UUID = r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UNREADABLE = ("settings-syntax", "two-settings-files", "foreign-project")
WITHOUT = "or run it without one, so that only this process can undo it:  --no-journal"


def journal_option() -> click.Option:
    """Return the option that names a journal."""
    return click.Option(
        ["--journal"],
        metavar="URL",
        help=f"Keep runs in this journal instead of {OWN_FOLDER}/{FILE} of the project: a file, or "
        f"a URL. {JOURNAL}, or [journal] of the project, names one for every call.",
    )


def strict_option() -> click.Option:
    """Return the option that makes results that cannot be stored an error."""
    return click.Option(
        ["--strict-results"],
        is_flag=True,
        help="Fail a step if its result cannot be stored, instead of a warning.",
    )


def given_url(url: str | None) -> str | None:
    """Return the journal that the option or the variable names for this call, or None."""
    return url or os.environ.get(JOURNAL) or None


def journal_address(session: Session, url: str | None) -> Value[str]:
    """Return the location of the journal of a call, with its source.

    The option takes precedence over the variable, then the project, then the default.

    Args:
        session: The call.
        url: The value of `--journal`.

    Raises:
        SettingsError: The project's file cannot be read, and might name one.
    """
    given = given_url(url)
    if given is not None:
        return Value(value=given, source="--journal" if url else JOURNAL)
    unread = [each for each in session.packs.settings_problems if each.code in _UNREADABLE]
    if unread:
        raise settings_error(unread)
    folder, own = session.settings.project.folder, session.settings.journal
    if own is None:
        return Value(value=str(folder / OWN_FOLDER / FILE), source="default")
    if re.match(_SCHEME, own.value):
        return own
    return replace(own, value=os.path.join(folder, os.path.expanduser(own.value)))


def journal_place(session: Session, url: str | None) -> str:
    """Return the place of the journal of a call, as it can be given in any working folder.

    Args:
        session: The call.
        url: The value of `--journal`.

    Raises:
        SettingsError: The project's file cannot be read, and might name one.
    """
    return absolute_place(journal_address(session, url).value)


def absolute_place(place: str) -> str:
    """Return the place of a journal as it can be given in any working folder."""
    return place if re.match(_SCHEME, place) else os.path.abspath(os.path.expanduser(place))


def session_journal(session: Session, url: str | None, *, create: bool = False) -> Journal:
    """Open the journal that a call works with.

    Args:
        session: The call.
        url: The value of `--journal`.
        create: Whether to create the file if it does not exist.

    Raises:
        JournalUrlError: The location cannot be that of a journal.
        NotFoundError: The file does not exist, and `create` is false.
        JournalError: The journal cannot be used.
    """
    place = journal_address(session, url)
    try:
        return open_journal(
            relative_place(session, place.value),
            default="",
            # The packs are read where the journal is in no file.
            find=lambda scheme: session.packs.catalog.journal_factory(scheme),  # noqa: PLW0108
            create=create,
        )
    except JournalUrlError as error:
        if place.source != "--journal":
            error.origin = error.origin or place_of(place.source)
        raise
    except JournalError as error:
        if not create:
            raise
        ways_out = (*error.ways_out, WITHOUT)
        message = f"{error.message}; nothing was run"
        raise JournalError(message, ways_out=ways_out) from error.__cause__


def reached_by_url(session: Session, url: str | None) -> str | None:
    """Return the URL of the journal of a call; None if that is a file, or may not be used."""
    place = journal_address(session, url).value
    is_file = not re.match(_SCHEME, place) or place.lower().startswith("sqlite:")
    return None if is_file else place


def relative_place(session: Session, place: str) -> str:
    """Return the path of a journal, relative to the working folder if it is below that."""
    path = Path(place)
    if re.match(_SCHEME, place) or not path.is_relative_to(session.folder):
        return place
    return str(path.relative_to(session.folder))


def number_in(journal: Journal, text: str) -> int:
    """Return the number of the run that `text` names: by that, or by its UUID.

    Raises:
        NotFoundError: The text is neither, or the journal has no such run.
    """
    if text.isdecimal() and len(text) <= 18:
        return int(text)
    if not re.fullmatch(_UUID, text):
        raise NotFoundError(
            f"'{text}' is no number of a run", ways_out=("handrail runs lists them",)
        )
    rows = journal.runs(parts=True)
    number = next((row.number for row in rows if row.uid == text.lower()), None)
    if number is None:
        raise NotFoundError(
            f"{journal.shown} has no run {text}", ways_out=("handrail runs lists them",)
        )
    return number


def run_numbers(context: click.Context) -> dict[str, int]:
    """Return the numbers of the runs in the journal of the call, by their UUIDs.

    Empty if there is no journal, or if it cannot be read.
    """
    session = context.find_object(Session)
    if session is None:
        return {}  # The command was called by itself, as by a test.
    try:
        with closing(session_journal(session, None)) as journal:
            return {row.uid: row.number for row in journal.runs(parts=True)}
    except HandrailError:
        return {}


def executor_option() -> click.Option:
    """Return the option."""
    return click.Option(
        ["--executor"],
        metavar="URL",
        help="Work on items of steps in processes:4, threads:8, or the executor of a pack; by "
        f"default in one process for each core. {EXECUTOR}, or [executor] of the project, names "
        "one for every call.",
    )


def check_named(session: Session, executor: str | None, journal: str | None) -> None:
    """Check, before the journal of a new run is even made, that the executor can work with it.

    Args:
        session: The call.
        executor: The value of `--executor`; by default, that of the settings.
        journal: The value of `--journal`.

    Raises:
        ExecutorError: It cannot.
    """
    url = executor or session.packs.executor
    if url is not None:
        session.packs.executors.check(url, reached_by_url(session, journal))


def executor_here(session: Session, executor: str | None) -> str | None:
    """Return the executor of a dry run, which has no journal, and so stays on this machine."""
    url = executor or session.packs.executor
    return url if url is None or is_local(url) else default_url()
