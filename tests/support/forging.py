"""Journals that somebody has tampered with: notes, results and fields of recorded runs change."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import handrail
from handrail.errors import HandrailError, StepFailedError
from handrail.journal.sqlite import SqliteJournal
from handrail.recovery.folder import working_in
from handrail.recovery.prepare import look_up, prepare
from handrail.recovery.preview import preview_rollback

Forge = tuple[str, Any, Any]


class RecordedRun:
    """A run that was recorded, in a working folder that is put back before each forgery.

    Files are put back by links, so each of them is the very one that the run has made.

    Args:
        home: A folder in which `work` is the working folder; all else in it is somebody else's.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.work, self._kept = home, home / "work", home.with_name(f"{home.name}-kept")

    def keep(self) -> None:
        """Keep all there is now."""
        self._copy(self.home, self._kept)

    def put_back(self) -> None:
        """Make all what it was."""
        self._copy(self._kept, self.home)

    @staticmethod
    def _copy(source: Path, to: Path) -> None:
        def link(path: str, other: str) -> None:
            # What SQLite writes is written in place.
            if ".db" in os.path.basename(path):
                shutil.copy2(path, other)
            else:
                os.link(path, other, follow_symlinks=False)

        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(source, to, symlinks=True, copy_function=link)

    @property
    def journal(self) -> Path:
        return self.work / ".handrail" / "runs.db"

    @property
    def run(self) -> str:
        """What identifies the run."""
        with closing(sqlite3.connect(self.journal)) as database:
            (uid,) = database.execute("SELECT uid FROM run").fetchone()
        return str(uid)

    def forge(self, forgeries: Sequence[Forge]) -> None:
        """Change what the journal says: `(what, where, value)`.

        `more` values of a note `(step, key)`, `only` these; what the step `returned`; the `field`
        of the context; the `uid` of the run.
        """
        with closing(sqlite3.connect(self.journal)) as database, database:
            for what, where, value in forgeries:
                getattr(self, f"_{what}")(database, where, value)

    @staticmethod
    def _more(database: sqlite3.Connection, where: tuple[str, str], values: Any) -> None:
        step, key = where
        found = database.execute("SELECT n FROM attempt WHERE step = ?", (step,)).fetchone()
        (last,) = database.execute("SELECT COALESCE(max(seq), 0) FROM note").fetchone()
        if found is not None:
            row = (1, step, found[0], last + 1, key, json.dumps(values))
            statement = 'INSERT INTO note (run, step, n, seq, key, "values") VALUES (?,?,?,?,?,?)'
            database.execute(statement, row)

    def _only(self, database: sqlite3.Connection, where: tuple[str, str], values: Any) -> None:
        database.execute("DELETE FROM note WHERE step = ? AND key = ?", where)
        self._more(database, where, values)

    @staticmethod
    def _returned(database: sqlite3.Connection, where: tuple[str, str], value: Any) -> None:
        step, key = where
        read = "SELECT id, result FROM attempt WHERE step = ? AND result IS NOT NULL"
        for row, text in database.execute(read, (step,)).fetchall():
            result = json.loads(text)
            result["rollback_data"] = {**result.get("rollback_data", {}), key: value}
            changed = (json.dumps(result), row)
            database.execute("UPDATE attempt SET result = ? WHERE id = ?", changed)

    @staticmethod
    def _field(database: sqlite3.Connection, name: str, value: Any) -> None:
        changed = (json.dumps(value), name)
        database.execute("UPDATE field SET value = ? WHERE name = ?", changed)

    @staticmethod
    def _uid(database: sqlite3.Connection, _where: object, value: Any) -> None:
        database.execute("UPDATE run SET uid = ?", (value,))

    def go_on(self, way: str, action: Any, **options: Any) -> Ended:
        """`resume` or `rollback` it in this process."""
        journal = SqliteJournal(str(self.journal))
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                getattr(handrail, way)(action, 1, journal=journal, packs=(), **options)
        except StepFailedError as error:
            failed = [each.__cause__ or each for each in error.rollback_errors]
            causes = [*failed, *([] if error.__cause__ is None else [error.__cause__])]
            told = "\n".join([error.message, *(each.message for each in error.rollback_errors)])
            incomplete = error.outcome in ("rollback_incomplete", "completed")
            return Ended(code=5 if incomplete else 1, told=told, causes=causes)
        except HandrailError as error:
            return Ended(code=int(error.exit_code), told=error.message, causes=[error])
        finally:
            journal.close()
        return Ended(code=0)

    def preview(self, action: Any) -> list[str]:
        """Return what its rollback would do, as it is shown before it is asked about."""
        journal = SqliteJournal(str(self.journal))
        try:
            _, recorded = look_up("rollback", action, 1, journal)
            with working_in(recorded.row, None):
                recovery = prepare(action, recorded, journal, "rollback", packs=())
                return [line for step in preview_rollback(recovery) for line in step.lines or ()]
        finally:
            journal.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run that was forged ended.

    Attributes:
        code: The exit code of the command line.
        told: What was told.
        causes: Why.
    """

    code: int
    told: str = ""
    causes: Sequence[BaseException] = ()

    def check(self, *codes: int) -> None:
        """It ended with one of these, and with errors that are for people."""
        assert self.code in codes, self.told
        for cause in self.causes:
            assert isinstance(cause, HandrailError), (cause, self.told)
            assert "\n" not in cause.message


def seen(folder: Path, *apart: Path) -> dict[str, Any]:
    """Return names, modes and content of all that is in a folder, but for what lies `apart`."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if any(path == each or each in path.parents for each in apart):
            continue
        about = path.lstat()
        content: Any = os.readlink(path) if path.is_symlink() else None
        if stat.S_ISREG(about.st_mode):
            content = path.read_bytes()
        found[path.relative_to(folder).as_posix()] = (about.st_mode, content)
    return found


def filled(value: Any, names: dict[str, Any]) -> Any:
    """Return a forged value with the paths of this run; `<name>` alone may stand for any value."""
    if isinstance(value, str):
        if value.startswith("<") and value[1:-1] in names:
            return names[value[1:-1]]
        for name, path in names.items():
            value = value.replace(f"<{name}>", str(path))
        return value
    if isinstance(value, (list, tuple)):
        return [filled(each, names) for each in value]
    if isinstance(value, dict):
        return {filled(key, names): filled(each, names) for key, each in value.items()}
    return value


def identity(path: Path) -> list[int]:
    """Return what a folder as the target would have recorded of a file."""
    about = path.stat()
    return [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns]


# Names that lead elsewhere, or are none.
STRANGE = (
    *("", ".", "..", "/", "//", "\0", "a\0b", "\ud800", "\udcff", "a" * 300, "./x", "a//b", "a/"),
    *("..\\..\\secret.txt", "C:\\secret.txt", "C:/secret.txt", "\\\\host\\share", "a/../../x"),
    *("../secret.txt", "../empty", "../../beside/secret.txt", "<home>/beside/secret.txt"),
    *("<home>/beside", "<home>/beside/empty", "<home>/work", "<home>/work/secret.txt"),
    *("<home>/work/empty", "<home>/work/../beside/empty", "<home>", "/etc/hostname", "~/x"),
    *(".handrail", ".handrail/runs.db", "<home>/work/.handrail/runs.db", "s3://other/x"),
    *("out", "out/secret.txt", "out/empty", "link.txt", "memory://x", "<run>", "../../<run>"),
)


def forgeries(
    notes: Sequence[tuple[str, str]], fields: Sequence[str], names: Sequence[str], more: Any
) -> st.SearchStrategy[list[Forge]]:
    """Return a strategy of what may be forged at once.

    Args:
        notes: The notes there are: step and key.
        fields: Fields of the context that hold texts.
        names: Paths and keys, besides those that lead elsewhere in any pack.
        more: A function that gets a strategy of names and returns one of values, of the shapes
            that the pack records.
    """
    any_name = st.sampled_from([*STRANGE, *names])
    shaped: Callable[[Any], Any] = more
    junk = st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | any_name,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_name, inner, max_size=2),
        max_leaves=5,
    )
    value = any_name | shaped(any_name) | junk
    note = st.sampled_from(list(notes))
    one = st.one_of(
        st.tuples(st.just("more"), note, st.lists(value, min_size=1, max_size=3)),
        st.tuples(st.just("only"), note, st.lists(value, max_size=3)),
        st.tuples(st.just("returned"), note, st.lists(value, max_size=3) | value),
        st.tuples(st.just("field"), st.sampled_from(list(fields)), any_name | st.none()),
        # SQLite takes no lone surrogates as they are.
        st.tuples(
            st.just("uid"), st.none(), any_name.filter(lambda name: name.isprintable() and name)
        ),
    )
    return st.lists(one, min_size=1, max_size=4)
