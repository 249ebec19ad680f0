"""An upload that goes on without some files: what is told, and how a kept one is resumed."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import ParamsError
from handrail_upload import DefaultUploadAction, SourceFile, UploadFilesStep, UploadParams
from handrail_upload.manifest import LEFT_OUT, Manifest

VANISHING = """
from pathlib import Path
from handrail_upload import DefaultUploadAction, DirectUploader, UploadFilesStep

class Uploader(DirectUploader):
    def send(self, storage, file, sending, replacing):
        Path("src/b").unlink(missing_ok=True)
        return super().send(storage, file, sending, replacing)

class Upload(DefaultUploadAction):
    \"\"\"Upload.\"\"\"
    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.replace("upload_files", UploadFilesStep(Uploader()))
"""


def test_a_kept_run_is_resumed_without_what_vanished(
    write: Callable[..., Path], here: Path, handrail: Callable[..., Any], stored: Any
) -> None:
    """The option counts for that time; without it, the run stops and stays as it is."""
    write("a b c")
    (here / "flows.py").write_text(VANISHING)
    done = handrail("run", "flows.py:Upload", "src", "out", "--on-failure", "keep", "-q")
    assert done.returncode == 6
    assert "--on-changed skip" in done.stderr
    done = handrail("resume", "1", "-q")
    assert done.returncode == 3
    assert "handrail resume 1 --on-changed skip" in done.stderr
    done = handrail("resume", "1", "--on-changed", "skip", "--json")
    assert done.returncode == 0, done.stdout
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["result"]["left_out_files"] == 1
    assert [
        (each["file"], each["data"]) for each in events if each["event"] == "MessageLogged"
    ] == [("b", {"summary": "it vanished during the upload"})]
    assert stored() == ["a", "c"]
    assert handrail("upload", "verify").returncode == 0
    assert handrail("rollback", "1", "--yes", "-q").returncode == 0
    assert not (here / "out").exists()


def test_the_last_line(
    write: Callable[..., Path], here: Path, handrail: Callable[..., Any]
) -> None:
    write("a b c")
    (here / "flows.py").write_text(VANISHING)
    done = handrail("run", "flows.py:Upload", "src", "out", "--on-changed", "skip", "-q")
    assert done.returncode == 0
    summary, ended, *_ = done.stdout.splitlines()
    assert summary.startswith("uploaded 2 new, 1 left out to out")
    assert "completed with 1 left out in" in ended


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("1", "--on-changed", "maybe"), "maybe"),
        (("--all-dead", "--on-changed", "skip"), "--all-dead takes no --on-changed"),
        (("2", "--on-changed", "skip"), "has no param on_changed"),
    ],
)
def test_wrong_calls(
    write: Callable[..., Path],
    here: Path,
    handrail: Callable[..., Any],
    words: tuple[str, ...],
    told: str,
) -> None:
    write("a b")
    other = "from handrail import action, step\n@step\ndef fail(context):\n    1 / 0\n"
    (here / "flows.py").write_text(VANISHING + other + "other = action('other', [fail])\n")
    handrail("run", "flows.py:Upload", "src", "out", "--on-failure", "keep", "-q")
    handrail("run", "flows.py:other", "--on-failure", "keep", "-q")
    done = handrail("resume", *words)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    ("given", "taken"), [(5, 5), ("5", 5), (" 7 ", 7), ("1%", "1%"), ("0.5%", "0.5%"), ("0%", "0%")]
)
def test_how_many_may_fail(given: Any, taken: Any) -> None:
    params = UploadParams(source=Path("src"), target="out", max_failed_files=given)
    assert params.max_failed_files == taken
    assert UploadParams(**json.loads(params.model_dump_json())).max_failed_files == taken


@pytest.mark.parametrize("given", [-1, "-1", "1 %", "101%", "%", "", "many", 1.5, "9" * 30])
def test_no_number_of_files(given: Any) -> None:
    with pytest.raises(ParamsError, match="max_failed_files"):
        DefaultUploadAction({"source": "src", "target": "out", "max_failed_files": given}, packs=())


class Deleting:
    """Deletes files of the source before the first one is sent."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def send(self, storage: Any, file: Any, sending: Any, replacing: Any) -> Any:
        for name in self.names:
            Path("src", name).unlink(missing_ok=True)
        return storage.put(file, sending, replacing)


def deleting(*names: str) -> Any:
    class Upload(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.replace("upload_files", UploadFilesStep(Deleting(*names)))

    return Upload


def test_a_unit_that_lost_a_required_file_is_not_registered(
    sample: Path, here: Path, upload: Callable[..., Any], units: Any, stored: Any, seen: Any
) -> None:
    """Its other files stay, and are registered by the next upload."""
    (sample / "files").rename(here / "src")
    params = {"specification": str(sample / "collection.toml"), "collection": "out"}
    names = sorted(path.name for path in (here / "src" / "image_1").iterdir())
    last = here / "src" / "mask_1" / names[-1]
    content = last.read_bytes()
    result = upload(deleting(f"mask_1/{names[-1]}"), on_changed="skip", **params)
    assert result["left_out_files"] == 1
    assert len(units()) == len(names) - 1
    assert f"image_1/{names[-1]}" in stored()
    [(unit, why)] = seen.logs("incomplete_unit")
    assert unit == Path(names[-1]).stem
    assert "mask_1" in why
    assert "1 incomplete one not registered" in seen.data("generate_data_units")["summary"]
    with closing(sqlite3.connect("out.db")) as catalogue:
        rows = catalogue.execute("SELECT run, files_left_out FROM handrail_published").fetchall()
    assert rows == [(result["run"], 1)]
    last.write_bytes(content)
    assert upload(**params)["data_units"] == 1
    assert len(units()) == len(names)


def test_a_step_that_is_tried_again_takes_all_files_again(
    tmp_path: Path,
) -> None:
    """The reason why a file was left out is forgotten: else it would count as a conflict."""
    manifest = Manifest(tmp_path / "list.db")
    file = SourceFile("/a", "a", "a", "a", "file", 1, 1)
    manifest.add([file])
    manifest.update([replace(file, id=1, state=LEFT_OUT, problem="it grew")])
    manifest.reopen_files()
    assert [(each.state, each.problem) for each in manifest.files()] == [("found", None)]
    manifest.close()


def test_a_step_that_is_tried_again_fetches_the_objects_that_were_found(tmp_path: Path) -> None:
    """Of an object without a recorded SHA-256, its version tells that it is still the same."""
    manifest = Manifest(tmp_path / "list.db")
    file = SourceFile("s3://b/a", "a", "a", "a", "file", 1, 1, version="e-1")
    manifest.add([file])
    manifest.reopen_files()
    assert [each.version for each in manifest.files()] == ["e-1"]
    manifest.close()


def test_what_vanishes_while_folders_are_walked_is_no_problem(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    seen: Any,
) -> None:
    """It is as if it had vanished a moment earlier."""
    source = write({"a": "a", "sub/b": "b", "sub/c": "c"})
    (source / "zone").mkdir()
    usual = os.scandir

    def scandir(path: Any) -> Any:
        if not Path(path).is_relative_to(source):
            return usual(path)
        with usual(path) as found:
            entries = list(found)
        if str(path).endswith("sub"):
            (source / "sub" / "b").unlink()
            (source / "zone").rmdir()
        return nullcontext(entries)

    monkeypatch.setattr(os, "scandir", scandir)
    assert upload()["uploaded_files"] == 2
    assert seen.data("organize_files")["left"] == {"vanished": 2}


def test_what_is_not_valid_counts_as_left_out(
    write: Callable[..., Path], upload: Callable[..., Any]
) -> None:
    write({"a": "aaa", "empty": ""})
    result = upload(on_invalid="skip")
    assert (result["left_out_files"], result["completed_with"]) == (1, "1 left out")
