"""Migrated trainings: the data set, `execute(data_path, checkpoint)`, the model, and the undo."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from handrail import ParamsError, PlanError, StepFailedError, StepResult, resume, step
from handrail.journal import SqliteJournal
from handrail_synapse import BaseTrainAction, RuntimeContext, TrainContext, hooks
from handrail_synapse.train.dataset import DatasetAction, DatasetOperation, DatasetParams
from handrail_synapse.train.params import BaseTrainParams
from handrail_synapse.train.steps import (
    ConvertDatasetStep,
    ExportDatasetStep,
    ModelUploadStep,
    TrainExecuteStep,
)


class Params(BaseTrainParams):
    name: str = "pots"
    epochs: int = 2
    output_dir: str | None = None


class Weights(BaseModel):
    weights_path: str
    loss: float


class Train(BaseTrainAction[Params]):
    """Counts what is in the data set, in the place of learning from it."""

    action_name = "train"
    result_model = Weights

    def execute(self, data_path: Path, checkpoint: Any) -> Weights:  # type: ignore[override]
        files = sorted((data_path.parent / "json").iterdir())
        for epoch in range(self.params.epochs):
            self.set_progress(epoch + 1, self.params.epochs, self.progress.TRAIN)
            self.set_metrics({"loss": 1 / (epoch + 1)}, step="train")
            self.report_metrics({"loss": 1 / (epoch + 1)}, epoch=epoch)
        self.log("trained", {"files": len(files), "from": checkpoint and checkpoint["id"]})
        weights = data_path.parent / "weights"
        weights.mkdir(exist_ok=True)
        (weights / "best.pt").write_text(f"{len(files)} files")
        return Weights(weights_path=str(weights), loss=0.5)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "handrail-synapse" / "datasets"


@pytest.fixture
def events(client: Any, source: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """Two items of a data set: one with annotations in a file, one with them in its data."""
    drawn = {
        "annotations": {"image": [{"id": "a", "tool": "bounding_box", "classification": "jug"}]},
        "annotationsData": {
            "image": [{"id": "a", "coordinate": {"x": 1, "y": 2, "width": 3, "height": 4}}]
        },
    }
    notes = tmp_path / "notes.json"
    notes.write_text(json.dumps(drawn))
    whole = {"images": [{"polygon": [{"classification": "pot", "data": [[0, 0], [1, 1]]}]}]}
    made: list[dict[str, Any]] = client.events
    made += [
        {
            "id": 1,
            "category": "train",
            "files": {
                "image_1": {"path": str(source / "image_1" / "jug.jpg"), "is_primary": True},
                "data_meta_1": {"path": str(notes)},
            },
        },
        {"id": 2, "category": "validation", "files": {}, "data": whole},
    ]
    return made


def run(action: type[Any], params: dict[str, Any], runtime: Any) -> Any:
    return action(params, runtime, packs=()).run()


def contents(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }


def test_a_training(
    runtime: RuntimeContext, client: Any, events: Any, notes: Any, cache: Path
) -> None:
    """The data set is downloaded, `execute` called, and the model registered."""
    steps = [each.name for each in Train({"dataset": 4}, runtime, packs=()).plan().steps]
    assert steps == ["dataset", "train", "model_upload"]
    result = run(Train, {"dataset": 4}, runtime)
    assert (result["success"], result["steps_executed"], result["model_id"]) == (True, 3, 5)
    name, about = client.calls[-1][0], client.calls[-1][1][0]
    assert name == "create_model"
    assert about["name"].startswith("pots_")
    assert about["configuration"] == {"hyperparameter": {}}
    with zipfile.ZipFile(io.BytesIO(client.files["pots"])) as archive:
        assert archive.read("best.pt") == b"2 files"
    assert ("info", "trained", {"files": 2, "from": None}) in notes.logged
    assert {"dataset", "train"} <= {name for *_, name in notes.progress}
    assert ({"loss": 0.5}, "train") in notes.metrics
    assert ("success", "The model is registered") in notes.messages()


def test_what_is_downloaded(runtime: RuntimeContext, client: Any, events: Any, cache: Path) -> None:
    """A data set is a folder with a JSON file for each item, and their files; it is kept."""
    params = DatasetParams(operation=DatasetOperation.DOWNLOAD, dataset=4)
    found = DatasetAction(params, runtime).execute()
    assert (found.path.parent, found.format, found.count) == (cache, "dm_v2", 2)
    empty: dict[str, list[Any]] = {
        kind: [] for kind in ("polyline", "keypoint", "classification", "relation", "group")
    }
    box = {"classification": "jug", "x": 1, "y": 2, "width": 3, "height": 4}
    assert contents(found.path) == {
        "json/2.json": events[1]["data"],
        "json/jug.json": {
            "classification": {"bounding_box": ["jug"]},
            "images": [{**empty, "polygon": [], "bounding_box": [box]}],
        },
        "original_files/notes.json": json.loads(
            (found.path / "original_files" / "notes.json").read_text()
        ),
    }
    assert (found.path / "original_files" / "jug.jpg").read_text() == "a jug"
    asked = client.asked("list_ground_truth_events")
    assert DatasetAction(params, runtime).execute().path == found.path
    assert client.asked("list_ground_truth_events") == asked
    splits = {"train": {}, "valid": {"classes": "pot"}}
    other = DatasetAction(DatasetParams(dataset=4, splits=splits), runtime).execute()
    assert (other.is_categorized, other.count) == (True, 2)
    assert {name.partition("/")[0] for name in contents(other.path)} == {"train", "valid"}
    assert client.calls[-1][1][0]["category"] == "validation"
    assert client.calls[-1][1][0]["classes"] == "pot"
    with pytest.raises(NotImplementedError, match="data sets are not converted here"):
        DatasetAction(DatasetParams(operation=DatasetOperation.CONVERT), runtime).execute()


def test_an_incomplete_data_set_is_not_kept(
    runtime: RuntimeContext, client: Any, events: Any, cache: Path
) -> None:
    """One of which an item could not be written is used, and downloaded anew the next time."""
    events.append({"id": 3, "category": "train", "data": {"images": [object()]}})
    found = DatasetAction(DatasetParams(dataset=4), runtime).execute()
    assert found.count == 2
    assert DatasetAction(DatasetParams(dataset=4), runtime).execute().path != found.path


def test_undo_of_a_data_set(
    runtime: RuntimeContext, client: Any, events: Any, tmp_path: Path, cache: Path
) -> None:
    """A folder that the training has made for the data set goes with a failure; the cache stays."""

    class Failing(Train):
        def execute(self, data_path: Path, checkpoint: Any) -> Any:  # type: ignore[override]
            raise ArithmeticError("the loss is not a number")

    out = tmp_path / "out"
    with pytest.raises(StepFailedError, match=r"^Step 'train' failed: the loss"):
        run(Failing, {"dataset": 4, "output_dir": str(out)}, runtime)
    assert not out.exists()
    with pytest.raises(StepFailedError):
        run(Failing, {"dataset": 4}, runtime)
    assert len(list(cache.iterdir())) == 1
    client.failing["list_ground_truth_events"] = ConnectionError("gone")
    with pytest.raises(StepFailedError, match="gone"):
        run(Failing, {"dataset": 5}, runtime)
    assert len(list(cache.iterdir())) == 1


def test_a_failed_training_is_told(runtime: RuntimeContext, events: Any, notes: Any) -> None:
    """The user is told in which step it failed, and of a model that was refused only that."""

    class Refused(Train):
        def execute(self, data_path: Path, checkpoint: Any) -> Any:  # type: ignore[override]
            self.ctx.client.failing["create_model"] = ValueError("no such plugin")
            return super().execute(data_path, checkpoint)

    with pytest.raises(StepFailedError, match="no such plugin"):
        run(Refused, {"dataset": 4}, runtime)
    errors = [text for level, text in notes.messages() if level in ("danger", "error")]
    assert errors == ["The model could not be registered: no such plugin"]
    with pytest.raises(StepFailedError, match="No data path available"):
        run(Train, {}, runtime)
    assert notes.messages()[-1] == ("danger", "The training failed in the step train")


def test_where_a_training_starts(
    runtime: RuntimeContext, client: Any, events: Any, notes: Any
) -> None:
    """`execute` is given the checkpoint, and the service is told of it and of the plugin."""
    runtime.checkpoint = {"id": 8, "path": "here", "category": "base"}
    client.get_job = lambda job: {"plugin_release": 6}
    client.get_plugin_release = lambda number, params: {
        "version": "1.2",
        "plugin": {"code": "acme"},
    }
    run(Train, {"dataset": 4, "hyperparameters": [{"epochs": 1}]}, runtime)
    about = client.calls[-1][1][0]
    assert (about["plugin"], about["version"], about["checkpoint"]) == ("acme", "1.2", 8)
    assert about["configuration"] == {"hyperparameter": {"epochs": 1}}
    assert ("info", "trained", {"files": 2, "from": 8}) in notes.logged


def test_a_format_needs_a_step_of_its_own(
    runtime: RuntimeContext, client: Any, events: Any
) -> None:
    """A data set is not converted, which a plan says; a step in that place is what is needed."""

    class Converting(Train):
        target_format = "yolo"

    with pytest.raises(StepFailedError, match=r"dm_v2 to yolo: data sets are not converted here"):
        run(Converting, {"dataset": 4}, runtime)

    downloads = client.asked("list_ground_truth_events")
    with pytest.raises(PlanError, match="data sets are not converted here"):
        Converting({"dataset": 5}, runtime, packs=(hooks,)).run()
    assert client.asked("list_ground_truth_events") == downloads

    class Own(ConvertDatasetStep):
        def execute(self, context: TrainContext) -> StepResult:
            context.dataset["config_path"] = context.dataset["path"] / "dataset.yaml"
            return StepResult()

    class Converted(Train):
        def setup_steps(self, registry: Any) -> None:
            for each in (ExportDatasetStep(), Own(), TrainExecuteStep(self), ModelUploadStep(self)):
                registry.register(each)

    result = Converted({"dataset": 4}, runtime, packs=(hooks,)).run()
    assert (result["steps_executed"], result["model_id"]) == (4, 5)


def test_a_training_with_steps_of_its_own(runtime: RuntimeContext) -> None:
    """One that registers steps runs those only, also where it calls the method it overrides."""

    @step
    def learn(context: TrainContext) -> None:
        context.model = {"id": 3}

    class Own(Train):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.register(learn)

    result = run(Own, {"dataset": 4}, runtime)
    assert (result["steps_total"], result["model_id"]) == (1, 3)


def test_an_execute_without_arguments(runtime: RuntimeContext, client: Any) -> None:
    """As in the version of the documentation, it is all that runs."""

    class Simple(BaseTrainAction[Params]):
        def execute(self) -> Any:
            return self.get_dataset()

    assert run(Simple, {"dataset": 4}, runtime) == {"id": 4}
    assert client.calls == []


def test_what_is_not_there(runtime: RuntimeContext, events: Any) -> None:
    """Several trainings are a sweep here, and frameworks do not report by themselves."""
    with pytest.raises(ParamsError, match="handrail sweep"):
        run(Train, {"dataset": 4, "is_tune": True}, runtime)

    class Automatic(Train):
        def execute(self, data_path: Path, checkpoint: Any) -> Any:  # type: ignore[override]
            self.autolog("ultralytics")

    with pytest.raises(StepFailedError, match="ultralytics does not report by itself here"):
        run(Automatic, {"dataset": 4}, runtime)


def test_resume(runtime: RuntimeContext, client: Any, events: Any, tmp_path: Path) -> None:
    """A training that was interrupted goes on with the data set that is there."""

    class Interrupted(Train):
        def execute(self, data_path: Path, checkpoint: Any) -> Any:  # type: ignore[override]
            if not (data_path.parent / "once").exists():
                (data_path.parent / "once").touch()
                raise ConnectionError("gone")
            return super().execute(data_path, checkpoint)

    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        with pytest.raises(StepFailedError, match="gone"):
            Interrupted({"dataset": 4}, runtime, packs=()).run(journal=journal, on_failure="keep")
        asked = client.asked("list_ground_truth_events")
        result: Any = resume(Interrupted, 1, journal=journal, ctx=runtime, packs=())
    assert result["model_id"] == 5
    assert client.asked("list_ground_truth_events") == asked
