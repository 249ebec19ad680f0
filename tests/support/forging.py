"""Tampers with journals: changes notes, results and fields of recorded runs."""

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
from resealing import reseal

import handrail
from handrail.builtin.records.preview import preview_rollback
from handrail.errors import HandrailError, StepFailedError
from handrail.recovery.preparation import look_up, prepare, working_in
from handrail.sqlite import SqliteJournal

Forge = tuple[str, Any, Any]


class RecordedRun:
    """A recorded run in a working folder that is restored before each forgery.

    Files are restored by hard links, so that each is the same file (inode) that the run made.

    Args:
        home: A folder in which `work` is the working folder; its other files belong to others.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.work, self._kept = home, home / "work", home.with_name(f"{home.name}-kept")

    def keep(self) -> None:
        """Save the current state."""
        self._copy(self.home, self._kept)

    def put_back(self) -> None:
        """Restore the saved state."""
        self._copy(self._kept, self.home)

    @staticmethod
    def _copy(source: Path, to: Path) -> None:
        def link(path: str, other: str) -> None:
            # Copied, because SQLite writes in place.
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
        """The identifier of the run."""
        with closing(sqlite3.connect(self.journal)) as database:
            (uid,) = database.execute("SELECT uid FROM run").fetchone()
        return str(uid)

    def names(self) -> dict[str, Any]:
        """Return what stands for what in a forged value."""
        return {"run": self.run, "home": str(self.home)}

    def everything(self) -> dict[str, Any]:
        """Return all that there is, apart from the journal and memory that connections share."""
        apart = ("/runs.db", ".db-shm")
        found = seen(self.home).items()
        return {name: each for name, each in found if not any(part in name for part in apart)}

    def forge(self, forgeries: Sequence[Forge]) -> None:
        """Change the journal; each forgery is `(what, where, value)`.

        `more` adds values to the note `(step, key)`, `only` replaces them, `returned` changes the
        returned rollback data of a step, `field` a context field, and `uid` the run's UUID.
        """
        with closing(sqlite3.connect(self.journal)) as database, database:
            for what, where, value in forgeries:
                getattr(self, f"_{what}")(database, where, value)
            reseal(database)  # A forger knows how to make checksums.

    @staticmethod
    def _more(database: sqlite3.Connection, where: tuple[str, str], values: Any) -> None:
        step, key = where
        found = database.execute("SELECT n FROM attempt WHERE step = ?", (step,)).fetchone()
        (last,) = database.execute("SELECT COALESCE(max(seq), 0) FROM note").fetchone()
        if found is not None:
            row = (1, step, found[0], last + 1, key, json.dumps(values), 0)
            columns = 'run, step, n, seq, key, "values", crc'
            database.execute(f"INSERT INTO note ({columns}) VALUES (?,?,?,?,?,?,?)", row)

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
        """Resume or roll back the run in this process; `way` is `resume` or `rollback`."""
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
        """Return the preview of the rollback that is shown before the confirmation."""
        journal = SqliteJournal(str(self.journal))
        try:
            _, recorded = look_up("rollback", action, 1, journal)
            with working_in(recorded, None):
                recovery = prepare(action, recorded, journal, "rollback", packs=())
                return [line for step in preview_rollback(recovery) for line in step.lines or ()]
        finally:
            journal.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a forged run.

    Attributes:
        code: The exit code of the command line.
        told: The message.
        causes: The causes of the error.
    """

    code: int
    told: str = ""
    causes: Sequence[BaseException] = ()

    def check(self, *codes: int) -> None:
        """Check that the run ended with one of `codes`, and with proper errors."""
        assert self.code in codes, self.told
        for cause in self.causes:
            assert isinstance(cause, HandrailError), (cause, self.told)
            assert "\n" not in cause.message


def seen(folder: Path, *apart: Path) -> dict[str, Any]:
    """Return names, modes and contents of all files in a folder, except those in `apart`."""
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
    """Return a forged value with placeholders `<name>` replaced by values of this run."""
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
    """Return the identity of a file as a folder target records it."""
    about = path.stat()
    return [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns]


# Names that lead elsewhere, or are not valid.
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
    """Return a strategy for lists of forgeries.

    Args:
        notes: The existing notes, as step and key.
        fields: Context fields with text values.
        names: Paths and keys, in addition to those that lead elsewhere in any pack.
        more: Returns, for a strategy of names, one of values in the shapes that the pack records.
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
        # SQLite does not accept lone surrogates.
        st.tuples(
            st.just("uid"), st.none(), any_name.filter(lambda name: name.isprintable() and name)
        ),
    )
    return st.lists(one, min_size=1, max_size=4)
