"""One setting: a migrated upload stores its files at a target of Handrail's, and can be undone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError, rollback, step
from handrail.sqlite import SqliteJournal
from handrail_synapse import DefaultUploadAction, RuntimeContext, UploadContext
from handrail_synapse.steps import StepRegistry
from handrail_synapse.upload.params import UploadParams


class PlainUpload(DefaultUploadAction[UploadParams]):
    action_name = "upload"


class FailingUpload(PlainUpload):
    """One whose last step fails."""

    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:  # type: ignore[override]
        super().setup_steps(registry)

        @step
        def tell(context: UploadContext) -> None:
            raise ConnectionError("nobody listens")

        registry.insert_after("generate_data_units", tell)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the setting."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "handrail.toml").write_text('[packs.handrail-synapse]\ntarget = "store"\n')
    monkeypatch.chdir(folder)
    return folder


def stored(project: Path) -> list[str]:
    files = (path for path in (project / "store").rglob("*") if path.is_file())
    names = (path.relative_to(project / "store").as_posix() for path in files)
    return sorted(name for name in names if not name.startswith(".handrail"))


def registered(project: Path) -> list[str]:
    with closing(sqlite3.connect(project / "store.db")) as db:
        return sorted(name for (name,) in db.execute("SELECT name FROM handrail_data_unit"))


def test_files_are_stored_and_registered(
    project: Path, runtime: RuntimeContext, client: Any, params: dict[str, Any]
) -> None:
    """Nothing is sent to the service; files, metadata and units are at the target."""
    params["group_name"] = "pottery"
    action = PlainUpload(params, runtime)
    plan = action.plan()
    layered = {planned.name: [layer.name for layer in planned.layers] for planned in plan.steps}
    assert list(layered)[4:7] == ["validate_files", "open_store", "upload_files"]
    assert layered["upload_files"] == ["store_files"]
    assert layered["generate_data_units"] == ["register_units"]
    waits = {planned.name: planned.facts.undo_before for planned in plan.steps}
    assert waits["generate_data_units"] == ("upload_files", "open_store")
    result = action.run()
    assert (result["uploaded_files"], result["data_units"]) == (2, 2)
    assert result.lost_files_count == 0
    assert {name for name, _ in client.calls} == {"get_storage", "get_data_collection"}
    assert stored(project) == ["data_meta_1/pot.json", "image_1/jug.jpg", "image_1/pot.jpg"]
    assert registered(project) == ["jug", "pot"]
    with closing(sqlite3.connect(project / "store.db")) as db:
        rows = db.execute("SELECT metadata FROM handrail_data_unit WHERE name = 'pot'")
        (metadata,) = rows.fetchone()
    assert '"origin_file_stem":"pot"' in metadata.replace(" ", "")
    assert "pottery" in metadata


def test_a_failure_takes_back_what_was_stored(
    project: Path, runtime: RuntimeContext, params: dict[str, Any]
) -> None:
    """If a later step fails, nothing is left at the target and in the catalogue."""
    with pytest.raises(StepFailedError, match="nobody listens"):
        FailingUpload(params, runtime).run()
    assert stored(project) == []
    assert not (project / "store.db").exists()


def test_undo_later(
    project: Path, runtime: RuntimeContext, params: dict[str, Any], tmp_path: Path
) -> None:
    """A journaled upload can be rolled back by another call, as one of handrail-upload can."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        PlainUpload(params, runtime).run(journal=journal)
        assert len(stored(project)) == 3
        rollback(PlainUpload, 1, journal=journal, ctx=runtime)
    assert stored(project) == []
    assert not (project / "store.db").exists()


def test_again(
    project: Path, runtime: RuntimeContext, source: Path, params: dict[str, Any]
) -> None:
    """A second upload sends what is new, and its undo leaves what the first has stored."""
    PlainUpload(params, runtime).run()
    (source / "image_1" / "urn.jpg").write_text("an urn")
    with pytest.raises(StepFailedError):
        FailingUpload(params, runtime).run()
    assert stored(project) == ["data_meta_1/pot.json", "image_1/jug.jpg", "image_1/pot.jpg"]
    assert registered(project) == ["jug", "pot"]


KILLED = """\
import os, sys
from types import SimpleNamespace

import handrail_synapse
from handrail import step
from handrail.sqlite import SqliteJournal
from handrail_synapse.upload.params import UploadParams

class Client:
    def get_storage(self, number):
        return SimpleNamespace(provider="local", configuration={"location": sys.argv[1]})
    def get_data_collection(self, number):
        return {"name": "pots", "file_specifications": [{"name": "image_1"}]}

@step(effects=False)
def die(context):
    if len(sys.argv) > 3:
        os.kill(os.getpid(), 9)

class Upload(handrail_synapse.DefaultUploadAction[UploadParams]):
    action_name = "upload"
    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("generate_data_units", die)

runtime = handrail_synapse.RuntimeContext(client=Client())
params = {"name": "n", "path": "/shots", "storage": 1, "data_collection": 5}
if __name__ == "__main__":
    Upload(params, runtime).run(journal=SqliteJournal(sys.argv[2]))
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is different elsewhere")
@pytest.mark.parametrize("then", ["resume", "rollback"])
def test_a_killed_upload(project: Path, source: Path, tmp_path: Path, then: str) -> None:
    """After kill -9, another process finishes the upload, or takes back what it has stored."""
    (project / "killed.py").write_text(KILLED)
    going_on = (
        f"import sys; sys.argv[1:] = [{str(source.parent)!r}, ''];"
        "import handrail, killed; from handrail.sqlite import SqliteJournal;"
        f"handrail.{then}(killed.Upload, 1, journal=SqliteJournal({str(tmp_path / 'j.db')!r}),"
        " ctx=killed.runtime)"
    )
    first = [str(project / "killed.py"), str(source.parent), str(tmp_path / "j.db"), "die"]
    codes = [
        subprocess.run([sys.executable, *words], cwd=project, check=False, timeout=120).returncode
        for words in (first, ["-c", going_on])
    ]
    assert codes == [-9, 0]
    assert len(stored(project)) == (2 if then == "resume" else 0)
    assert (project / "store.db").exists() is (then == "resume")
