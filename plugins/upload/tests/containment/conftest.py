"""A recorded upload beside things of others, and a journal that somebody has forged."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from forging import RecordedRun, seen
from killing.memory import folder_in_memory
from resealing import reseal

import handrail
from handrail import BaseStep, RuntimeContext, SourceChangedError, StepFailedError, StepResult
from handrail.errors import HandrailError
from handrail.sqlite import SqliteJournal
from handrail_upload import DefaultUploadAction
from handrail_upload.errors import UploadError

STEPS = ("initialize", "upload_files", "generate_data_units")


class Stop(BaseStep[Any]):
    """A step that fails, so that the upload is kept as it is: with all that it has set aside."""

    name = "stop"
    progress_weight = 0.01

    def execute(self, context: Any) -> StepResult:
        raise UploadError("stopped")


class Upload(DefaultUploadAction):
    """An upload that stops before it is cleaned up."""

    action_name = "upload"

    def create_context(self) -> Any:
        self.context = super().create_context()
        return self.context

    def setup_steps(self, registry: Any) -> None:
        super().setup_steps(registry)
        registry.insert_after("generate_data_units", Stop())


class Forged(RecordedRun):
    """An upload that was recorded, and stopped; what its journal says can be changed.

    Args:
        home: A folder with the working folder, and one of somebody else.
        params: The params of the upload.
    """

    action = Upload

    def __init__(self, home: Path, params: dict[str, Any]) -> None:
        super().__init__(home)
        self.beside, self.params = home / "beside", params

    @property
    def here(self) -> Path:
        """The working folder, with `src`, `store`, `photos.db` and `.handrail`."""
        return self.work

    @here.setter
    def here(self, moved: Path) -> None:
        self.work = moved

    @property
    def store(self) -> Path:
        return self.here / "store"

    @property
    def state(self) -> Path:
        return self.here / ".handrail" / "uploads"

    def record(self) -> None:
        """Upload, replacing one object, and stop."""
        upload = Upload(self.params, RuntimeContext(), packs=())
        with closing(SqliteJournal(self.journal)) as journal, pytest.raises(StepFailedError):
            upload.run(journal=journal, on_failure="keep")
        upload.context.close()

    @property
    def uid(self) -> str:
        return self.run

    def ask(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.journal, isolation_level=None)) as database:
            found = database.execute(statement, values).fetchall()
            if not statement.startswith("SELECT"):
                reseal(database)  # A forger knows how to make checksums.
            return found

    def own(self) -> set[str]:
        """Return what the run has made and is still there, or has replaced and is not back."""
        ours = ("photos.db", ".handrail/uploads", "store/a.txt", "store/sub")
        left = {name for name in seen(self.here) if name.startswith(ours)}
        back = (self.store / "b.txt").read_text() == "theirs, and replaced"
        return left if back else {*left, "b.txt"}

    def stored(self) -> set[str]:
        """Return what the run has stored."""
        return {name for name in seen(self.store) if name.startswith(("a.txt", "sub"))}

    def recorded(self, step: str, note: str) -> list[Any]:
        """Return what a step has recorded under one name."""
        rows = self.ask('SELECT "values" FROM note WHERE step = ? AND key = ?', step, note)
        return [each for (text,) in rows for each in json.loads(text)]

    def note(self, step: str, note: str, values: list[Any]) -> None:
        """Let the journal say that a step has recorded just this under one name."""
        self.ask("DELETE FROM note WHERE step = ? AND key = ?", step, note)
        (run, seq), *_ = self.ask("SELECT min(run), coalesce(max(seq), 0) + 1000 FROM note")
        self.ask(
            'INSERT INTO note (run, step, n, seq, key, "values", crc) VALUES (?, ?, 1, ?, ?, ?, 0)',
            *(run or 1, step, seq, note, json.dumps(values)),
        )

    def returned(self, step: str, note: str, value: Any) -> None:
        """Let the journal say that a step has returned this under one name, of whatever type."""
        self.ask("DELETE FROM note WHERE step = ? AND key = ?", step, note)
        result = json.loads(self.ask("SELECT result FROM attempt WHERE step = ?", step)[0][0])
        result["rollback_data"] = {**result.get("rollback_data", {}), note: value}
        self.ask("UPDATE attempt SET result = ? WHERE step = ?", json.dumps(result), step)

    def claim(self, keys: list[Any]) -> None:
        """Let the claim at the target say that the run wanted just these keys, and holds nothing.

        So says whoever may write there; what they forge is the list that an undo follows.
        """
        folder = self.store / ".handrail-target" / "claims" / self.uid
        lines = "".join(f"{json.dumps([key, None], separators=(',', ':'))}\n" for key in keys)
        (folder / "list").write_bytes(gzip.compress(lines.encode()))
        state = json.loads((folder / "state").read_bytes())
        state["wanted"] = hashlib.sha256(lines.encode()).hexdigest()
        state |= {"state": "working", "held": None, "known": False}
        (folder / "state").write_text(json.dumps(state))

    def rollback(self, **options: Any) -> list[str]:
        """Roll the run back as another process would; return what could not be undone, and why."""
        with closing(SqliteJournal(self.journal)) as journal:
            error = None
            try:
                handrail.rollback(Upload, 1, journal=journal, packs=(), **options)
            except StepFailedError as failed:
                error = failed
        if error is None:
            return []
        causes = {each.step: each.__cause__ for each in error.rollback_errors}
        assert causes, error
        assert all(isinstance(each, HandrailError) for each in causes.values()), causes
        return [f"{step}: {cause}" for step, cause in causes.items()]

    def resume(self) -> str:
        """Go on with the run; return why that failed."""
        with (
            closing(SqliteJournal(self.journal)) as journal,
            pytest.raises((StepFailedError, SourceChangedError)) as failed,
        ):
            handrail.resume(Upload, 1, journal=journal, packs=())
        return str(failed.value)

    def outside(self) -> dict[str, Any]:
        """Return all that is neither in the target nor of the run, and what others have there."""
        own = (self.store, self.state, self.journal.parent, self.here / "photos.db")
        return {**seen(self.home, *own), "in the target": self.theirs()}

    def theirs(self) -> dict[str, Any]:
        """Return what others have in the target."""
        found = seen(self.store)
        return {name: found.get(name) for name in ("theirs", "theirs/a.txt", "out", "link.txt")}


def make_forged(top: Path, **options: Any) -> Forged:
    """Make the folders and upload; `top` has to be empty."""
    here, beside = top / "work", top / "beside"
    for name in ("src/sub/deep/c.txt", "src/a.txt", "src/b.txt", "elsewhere/d.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(f"ours: {name}")
    (beside / "empty").mkdir(parents=True)
    (here / "empty").mkdir()
    (beside / "secret.txt").write_text("theirs")
    (here / "notes.txt").write_text("theirs")
    (here / "store" / "theirs").mkdir(parents=True)
    (here / "store" / "theirs" / "a.txt").write_text("theirs")
    (here / "store" / "b.txt").write_text("theirs, and replaced")
    (here / "store" / "out").symlink_to("../../beside")
    (here / "store" / "link.txt").symlink_to("../../beside/secret.txt")
    params = {
        "source": "src",
        "target": "store",
        "catalogue": "photos.db",
        "if_exists": "overwrite",
        **options,
    }
    forged = Forged(top, params)
    forged.record()
    # With rows and marks of this very run, so that nothing but the place tells them apart.
    shutil.copy(here / "photos.db", beside / "decoy.db")
    shutil.copy(forged.state / f"{forged.uid}.db", beside / "list.db")
    return forged


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no machine dies here."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def forged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forged:
    """An upload that was recorded, and stopped."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return make_forged(tmp_path)


@pytest.fixture
def make() -> Callable[..., Forged]:
    """Make such an upload in an empty folder, which becomes the working folder."""

    def _make(top: Path, **options: Any) -> Forged:
        (top / "work").mkdir(parents=True)
        os.chdir(top / "work")
        return make_forged(top, **options)

    return _make


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Forged]:
    """Return a recorded upload, as it was when it was recorded."""
    home, usual = tmp_path_factory.mktemp("recorded") / "home", Path.cwd()
    (home / "work").mkdir(parents=True)
    os.chdir(home / "work")
    try:
        made = make_forged(home)
    finally:
        os.chdir(usual)
    made.keep()

    def put_back(_kind: str) -> Forged:
        made.put_back()
        return made

    return put_back
