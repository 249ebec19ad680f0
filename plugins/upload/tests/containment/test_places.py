"""Where a run works, by its params; and what it does not store, because no undo would delete it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from handrail import BaseStep, RuntimeContext, StepFailedError, StepResult
from handrail_storage.containment import Notes
from handrail_upload import DefaultUploadAction
from handrail_upload.params import UploadParams
from handrail_upload.site import Site

RUN = "0198c0de-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of this test's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    return tmp_path


def upload(edit: Any = lambda registry: None, **params: Any) -> Any:
    """Upload `src` to `store`; return why that failed, or None."""

    class Upload(DefaultUploadAction):
        action_name = "upload"

        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            edit(registry)

    try:
        Upload({"source": "src", "target": "store", **params}, RuntimeContext(), packs=()).run()
    except StepFailedError as error:
        return error
    return None


@pytest.mark.parametrize(
    "name",
    [
        f"a.txt.handrail-tmp-{RUN}",
        f"sub/a.txt.handrail-tmp-{RUN}.second",
        f".handrail-probe-{RUN}",
        "state/notes.txt",
    ],
)
def test_nothing_is_stored_that_no_undo_would_delete(here: Path, name: str) -> None:
    """A name that Handrail keeps for itself is refused before it is recorded, and all is undone."""
    for each in ("a.txt", name):
        path = here / "src" / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ours")
    error = upload(hidden=True, folder="store/state")
    assert f"{name} cannot be stored: Handrail keeps it for itself" in str(error)
    assert error.outcome == "rolled_back", error.rollback_errors
    assert sorted(os.listdir(here)) == ["src"]


def test_nothing_is_stored_behind_a_link_that_leads_out_of_the_target(here: Path) -> None:
    """It is refused before anything is sent, for no undo would follow it."""
    for name in ("a.txt", "sub/b.txt"):
        (here / "src" / name).parent.mkdir(exist_ok=True)
        (here / "src" / name).write_text("ours")
    (here / "theirs").mkdir()
    (here / "store").mkdir()
    (here / "store" / "sub").symlink_to("../theirs")
    error = upload()
    assert "sub/b.txt: it leads out of" in str(error)
    assert error.outcome == "rolled_back", error.rollback_errors
    assert os.listdir(here / "theirs") == []
    assert os.listdir(here / "store") == ["sub"]


def test_a_step_that_changes_the_working_folder_hides_nothing_from_the_undo(here: Path) -> None:
    """Relative params lead from where the upload began."""

    class Wander(BaseStep[Any]):
        name = "wander"
        progress_weight = 0.01

        def execute(self, context: Any) -> StepResult:
            os.chdir("..")
            raise RuntimeError("lost")

    (here / "src" / "a.txt").write_text("ours")
    error = upload(lambda registry: registry.insert_after("generate_data_units", Wander()))
    assert error.outcome == "rolled_back", error.rollback_errors
    assert os.listdir(here) == ["src"]


def is_named_by(check: Any, recorded: str) -> bool:
    """Return whether a recorded value passes."""
    try:
        check(recorded)
    except ValueError:
        return False
    return True


def test_a_catalogue_is_that_of_the_params(here: Path) -> None:
    """By its name, in the working folder; without one, none is named by any text."""
    options = UploadParams(source=here / "src", target="deep/store")
    site = Site.of(options=options, run=RUN, here=str(here))
    assert site.catalogue_at(f"{here}/store.db") == f"{here}/store.db"
    for url in (f"{here}/deep/store.db", f"{here}/src.db", "/tmp/store.db", "postgresql://h/d"):
        assert not is_named_by(site.catalogue_at, url)
    options = UploadParams(source=here / "src", target="deep/store", catalogue=False)
    none = Site.of(options=options, run=RUN, here=str(here))
    assert not is_named_by(none.catalogue_at, f"{here}/store.db")


@pytest.mark.parametrize(
    ("recorded", "named"),
    [
        ("{here}/a/b", True),
        ("/gone/a/b", True),
        ("/gone/x/a/b", True),
        ("/gone/xa/b", False),
        ("/gone/a/b/c", False),
        ("a/b", False),
        ("{here}/other/a/b", False),  # It is there: somebody else's.
    ],
)
def test_a_relative_place_may_have_been_elsewhere(here: Path, recorded: str, named: bool) -> None:
    """Only where nothing is there any more: then the working folder was moved."""
    (here / "other/a/b").mkdir(parents=True)
    recorded = recorded.replace("{here}", str(here))

    def passes(target: str, noted: str) -> bool:
        options = UploadParams(source=here / "src", target=target)
        notes = Notes({"target": [noted]})
        site = Site.of(notes, options=options, run=RUN, here=str(here))
        return is_named_by(site.address, noted)

    assert passes("a/b", recorded) == named
    assert passes("/x/a/b", "/gone/a/b") is False
