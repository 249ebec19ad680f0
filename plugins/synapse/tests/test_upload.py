"""Migrated uploads: the eight steps, what plugins put between them, what the client is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import ParamsError, StepFailedError, resume, rollback
from handrail.sqlite import SqliteJournal
from handrail_synapse import DefaultUploadAction, RuntimeContext, UploadContext
from handrail_synapse.exceptions import (
    ClientConnectionError,
    ClientResponseIncompleteError,
    ExcelSecurityError,
    NotFoundError,
    ServerError,
)
from handrail_synapse.steps import BaseStep, StepRegistry, StepResult
from handrail_synapse.upload.params import ExcelSecurityConfig, UploadParams
from handrail_synapse.upload.steps import OrganizeFilesStep, ValidateFilesStep
from handrail_synapse.upload.strategies import CsvMetadataStrategy

STEPS = [
    *("initialize", "process_metadata", "analyze_collection", "organize_files"),
    *("validate_files", "upload_files", "generate_data_units", "cleanup"),
]


class PlainUpload(DefaultUploadAction[UploadParams]):
    action_name = "upload"
    params_model = UploadParams


class CutStep(BaseStep[UploadContext]):
    """Makes two files of each image, in a folder beside the images."""

    @property
    def name(self) -> str:
        return "cut_images"

    @property
    def progress_weight(self) -> float:
        return 0.15

    def can_skip(self, context: UploadContext) -> bool:
        return not context.organized_files

    def execute(self, context: UploadContext) -> StepResult:
        extra = context.params.get("extra_params") or {}
        folder = (context.pathlib_cwd or Path()) / "cut"
        folder.mkdir()
        halves: list[dict[str, Any]] = []
        for group in context.organized_files:
            image = group["files"]["image_1"]
            for number in range(2):
                path = folder / f"{image.stem}_{number:04d}.{extra.get('format', 'png')}"
                path.write_text(f"{image.read_text()} {number}")
                meta = {**group["meta"], "origin_file_name": image.name, "part": number}
                halves.append({"files": {"image_1": path}, "meta": meta})
        context.organized_files = halves
        context.params.update(cleanup_temp=True, temp_path=str(folder))
        context.log("cut", {"halves": len(halves)})
        return StepResult(data={"halves": len(halves)}, rollback_data={"folder": str(folder)})

    def rollback(self, context: UploadContext, result: StepResult) -> None:
        shutil.rmtree(result.rollback_data["folder"], ignore_errors=True)


class CheckedStep(ValidateFilesStep):
    """The default check, and a word about it."""

    def execute(self, context: UploadContext) -> StepResult:
        context.log_message("{count} to check", count=len(context.organized_files))
        return super().execute(context)


class CuttingUpload(PlainUpload):
    """An upload as plugins derive it: the default steps, changed by name."""

    def get_allowed_extensions(self) -> dict[str, list[str]] | None:
        return {"image": [".PNG"]}

    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:  # type: ignore[override]
        super().setup_steps(registry)
        registry.insert_after("organize_files", CutStep())
        registry.unregister("validate_files")
        registry.insert_before(before_name="upload_files", step=CheckedStep())


class KeepingUpload(CuttingUpload):
    """One that leaves its folder."""

    def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:  # type: ignore[override]
        super().setup_steps(registry)
        registry.unregister("cleanup")


def test_plan_and_places() -> None:
    """The eight steps have the SDK's names and order, and edits by name find them."""
    assert [step.name for step in PlainUpload.partial({}, packs=()).plan().steps] == STEPS
    planned = [step.name for step in CuttingUpload.partial({}, packs=()).plan().steps]
    assert planned[3:6] == ["organize_files", "cut_images", "validate_files"]


def test_plain_upload(
    runtime: RuntimeContext, client: Any, notes: Any, params: dict[str, Any]
) -> None:
    """Files are grouped by their stems, sent group by group, and become data units."""
    result = PlainUpload(params, runtime, packs=()).run()
    assert (result.success, result.uploaded_files, result["data_units"]) == (True, 2, 2)
    assert result.steps_total == 8
    assert sorted(client.files.values()) == [b"a jug", b"a pot", b'{"height": 12}']
    jug, pot = client.units
    assert list(jug["files"]) == ["image_1"]
    assert list(pot["files"]) == ["data_meta_1", "image_1"] or set(pot["files"]) == {
        "image_1",
        "data_meta_1",
    }
    assert pot["meta"]["origin_file_stem"] == "pot"
    assert pot["data_collection"] == 5
    assert ("success", "2 data units created") in notes.messages()


def test_the_logger_is_told_of_each_step_and_of_the_whole(
    runtime: RuntimeContext, notes: Any, params: dict[str, Any]
) -> None:
    """It hears which step runs, at which place, and how far the action as a whole is."""
    PlainUpload(params, runtime, packs=()).run()
    begun = [each for each in notes.steps if each[0] is not None]
    assert list(dict.fromkeys(begun)) == [(name, place) for place, name in enumerate(STEPS)]
    assert notes.steps[-1] == (None, None)
    whole = [each for each in notes.progress if each[2] is None]
    assert whole[-1] == (100, 100, None)
    assert ({"stand_by": 0, "success": 2, "failed": 0}, "data_files") in notes.metrics


def test_at_once(bulk_client: Any, notes: Any, params: dict[str, Any]) -> None:
    """A client that takes all files at once is given all at once, and falls back if that fails."""
    runtime = RuntimeContext(notes, {}, client=bulk_client)
    PlainUpload(params, runtime, packs=()).run()
    calls = [bulk_client.asked(name) for name in ("upload_files_bulk", "upload_data_file")]
    assert calls == [1, 0]
    assert len(bulk_client.units) == 2
    bulk_client.failing["upload_files_bulk"] = OSError("no way through")
    PlainUpload(params, runtime, packs=()).run()
    assert bulk_client.asked("upload_data_file") == 2


def test_cutting_upload(
    runtime: RuntimeContext, client: Any, source: Path, params: dict[str, Any]
) -> None:
    """A step in between reads and replaces the groups of files; its folder goes in the end."""
    params["extra_params"] = {"format": "png"}
    params["group_name"] = "pottery"
    result = CuttingUpload(params, runtime, packs=()).run()
    assert result["data_units"] == 4
    assert [unit["meta"]["part"] for unit in client.units] == [0, 1, 0, 1]
    assert {tuple(unit["groups"]) for unit in client.units} == {("pottery",)}
    assert not (source / "cut").exists()


def test_failure_is_undone(
    runtime: RuntimeContext, client: Any, source: Path, params: dict[str, Any]
) -> None:
    """If the service fails, what the step in between has made is taken away."""
    client.failing["create_data_units"] = ConnectionError("gone")
    with pytest.raises(StepFailedError, match="No data units were successfully generated"):
        CuttingUpload(params, runtime, packs=()).run()
    assert not (source / "cut").exists()


def test_undo_of_a_journaled_run_by_another_process(
    runtime: RuntimeContext,
    client: Any,
    source: Path,
    params: dict[str, Any],
    tmp_path: Path,
) -> None:
    """The shared state fits into a journal, so that a later call can undo the run."""

    params["extra_params"] = {"format": "png"}
    action = KeepingUpload(params, runtime, packs=())
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        action.run(journal=journal)
        assert len(list((source / "cut").iterdir())) == 4
        rollback(KeepingUpload, 1, journal=journal, ctx=runtime, packs=())
    assert not (source / "cut").exists()


def test_resume_by_another_process(
    runtime: RuntimeContext, client: Any, source: Path, params: dict[str, Any], tmp_path: Path
) -> None:
    """A kept run goes on with the groups, paths and params as the steps had left them."""
    params["extra_params"] = {"format": "png"}
    client.failing["upload_data_file"] = ConnectionError("gone")
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        action = CuttingUpload(params, runtime, packs=())
        with pytest.raises(StepFailedError):
            action.run(journal=journal, on_failure="keep")
        assert (source / "cut").exists()
        client.failing.clear()
        assert resume(CuttingUpload, 1, journal=journal, ctx=runtime, packs=())["data_units"] == 4
    assert [unit["meta"]["part"] for unit in client.units] == [0, 1, 0, 1]
    assert not (source / "cut").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "blank"),
        ({"path": None}, "'path' is required"),
        ({"use_single_path": False}, "'assets' must be provided"),
        ({"storage": "x"}, "storage"),
    ],
)
def test_wrong_params(
    runtime: RuntimeContext, params: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    """Wrong params are told before anything is asked of the client."""
    with pytest.raises(ParamsError, match=said):
        PlainUpload({**params, **change}, runtime, packs=())


def test_dispatch_looks_for_what_the_params_name(
    runtime: RuntimeContext, client: Any, params: dict[str, Any]
) -> None:
    """`dispatch` runs an action by plain params, after asking the client for what they name."""
    assert PlainUpload.dispatch(params, runtime)["data_units"] == 2
    with pytest.raises(ParamsError, match="Data collection with id=404 not found"):
        PlainUpload.dispatch({**params, "data_collection": 404}, runtime)


def test_several_paths(runtime: RuntimeContext, client: Any, params: dict[str, Any]) -> None:
    """With a folder for each specification, files are looked for there."""
    params |= {
        "path": None,
        "use_single_path": False,
        "assets": {"image_1": {"path": "/shots/image_1", "is_recursive": False}},
    }
    assert PlainUpload(params, runtime, packs=()).run()["data_units"] == 1
    assert client.units[0]["meta"]["origin_file_stem"] == "jug"


def test_sheet(runtime: RuntimeContext, client: Any, source: Path, params: dict[str, Any]) -> None:
    """The metadata of a sheet reaches the data unit of the file; a broken one is left out."""
    (source / "meta.csv").write_text("filename,glaze\npot.jpg,blue\n")
    PlainUpload(params, runtime, packs=()).run()
    assert client.units[1]["meta"]["glaze"] == "blue"
    (source / "meta.csv").write_text("glaze\nblue\n")
    assert PlainUpload(params, runtime, packs=()).run()["data_units"] == 2


def test_a_required_file_that_is_missing(
    runtime: RuntimeContext, client: Any, params: dict[str, Any]
) -> None:
    """A group without a required file is left out; with `skip_required_check` it is an error."""
    client.specs[1]["is_required"] = True
    assert PlainUpload(params, runtime, packs=()).run()["data_units"] == 1

    class Later(PlainUpload):
        def setup_steps(self, registry: StepRegistry[UploadContext]) -> None:  # type: ignore[override]
            super().setup_steps(registry)
            registry.replace("organize_files", OrganizeFilesStep(skip_required_check=True))

    with pytest.raises(StepFailedError, match='missing required file type "data_meta_1"'):
        Later(params, runtime, packs=()).run()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda client: client.failing.update(get_storage=OSError("shut")),
            "Failed to get storage",
        ),
        (lambda client: client.specs.clear(), "File specifications not available"),
        (
            lambda client: client.failing.update(upload_data_file=OSError("full")),
            "No files were successfully uploaded",
        ),
    ],
)
def test_failures_of_the_service(
    runtime: RuntimeContext,
    client: Any,
    params: dict[str, Any],
    change: Callable[[Any], None],
    said: str,
) -> None:
    """What the service refuses fails the step that asked for it, with the SDK's words."""
    action = PlainUpload(params, runtime, packs=())
    change(client)
    with pytest.raises(StepFailedError, match=said):
        action.run()


def test_limits_of_a_sheet(tmp_path: Path) -> None:
    """A sheet that is larger than its limits is refused; others than CSV need handrail-upload."""
    sheet = tmp_path / "meta.csv"
    sheet.write_text("file_name,a,b\nx.jpg,1,2\ny.jpg,3,\n")
    found = CsvMetadataStrategy().extract(sheet)
    assert found == {"x.jpg": {"a": "1", "b": "2"}, "y.jpg": {"a": "3"}}
    for limits in ({"max_rows": 1}, {"max_columns": 2}):
        with pytest.raises(ExcelSecurityError, match="Too many"):
            CsvMetadataStrategy(ExcelSecurityConfig(**limits)).extract(sheet)
    other = sheet.rename(tmp_path / "meta.tsv")
    other.write_text("file\ta\nx.jpg\t1\n")
    assert CsvMetadataStrategy().extract(other) == {"x.jpg": {"a": "1"}}


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (ClientConnectionError("refused"), 3),
        (ServerError(503), 3),
        (ClientResponseIncompleteError("broke off"), 1),
        (NotFoundError("gone"), 1),
    ],
)
def test_what_is_tried_again(
    runtime: RuntimeContext,
    client: Any,
    params: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    tried: int,
) -> None:
    """Data units are created again only where that cannot make them twice."""
    monkeypatch.setattr("handrail_synapse.upload.strategies.sleep", lambda seconds: None)
    client.failing["create_data_units"] = error
    with pytest.raises(StepFailedError):
        PlainUpload(params, runtime, packs=()).run()
    assert client.asked("create_data_units") == tried
