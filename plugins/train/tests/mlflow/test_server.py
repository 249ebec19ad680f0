"""What MLflow shows of a training, read from a real server; and what is left after an undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from servers.wire import LOST, Wire

import handrail
from handrail import StepFailedError
from handrail.sqlite import SqliteJournal
from handrail_train import DefaultTrainAction
from handrail_train.mlflow.client import Client
from handrail_train.mlflow.tracking import Tracking
from handrail_train.store import open_store
from handrail_train.versions import Versions

pytestmark = pytest.mark.slow


@pytest.fixture
def journal(here: Path) -> Any:
    made = SqliteJournal(here / ".handrail" / "runs.db")
    yield made
    made.close()


@pytest.fixture
def send(params: Any, mlflow: Any, name: str, journal: Any) -> Any:
    """Train, and tell a server of it."""

    def send(**more: Any) -> Any:
        given = params(**{"mlflow": mlflow.endpoint, "name": name, **more})
        return DefaultTrainAction(given, packs=()).run(journal=journal)

    return send


@pytest.fixture
def undo(journal: Any) -> Any:
    """Undo a run of the journal."""
    return lambda number: handrail.rollback(DefaultTrainAction, number, journal=journal, packs=())


def experiment(server: Any, name: str) -> Any:
    return server.read(f"experiments/get-by-name?experiment_name={quote(name)}").get("experiment")


def runs(server: Any, name: str) -> list[Any]:
    number = experiment(server, name)["experiment_id"]
    found: list[Any] = server.ask("POST", "runs/search", experiment_ids=[number]).get("runs", [])
    return found


def versions(server: Any, name: str) -> list[Any]:
    found = server.read(f"model-versions/search?filter={quote(f'''name='{name}' ''')}")
    listed: list[Any] = found.get("model_versions", [])
    return listed


def model(server: Any, name: str) -> Any:
    return server.read(f"registered-models/get?name={name}").get("registered_model")


def pairs(listed: list[Any]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in listed}


def test_a_training_is_told_with_all_that_a_person_looks_for(
    send: Any, mlflow: Any, name: str
) -> None:
    result = send(hyper={"alpha": 0.01})
    (run,) = runs(mlflow, name)
    info, data = run["info"], run["data"]
    params, metrics, tags = (pairs(data[each]) for each in ("params", "metrics", "tags"))
    assert result["next"]["mlflow"] == (
        f"{mlflow.endpoint}/#/experiments/{info['experiment_id']}/runs/{info['run_id']}"
    )
    assert (info["run_name"], info["status"]) == (f"{name}@1", "FINISHED")
    assert 0 <= info["end_time"] - info["start_time"] < 600_000
    assert {"kind": "sgd", "alpha": "0.01", "target": "kind", "seed": "0"}.items() <= params.items()
    assert "class_weight" not in params
    store = Versions(open_store("models"))
    version = store.get(f"{name}@1")
    report = json.loads(store.content(version, "report"))
    assert metrics["test_accuracy"] == version.scores["accuracy"]
    assert metrics["validation_loss"] == report["history"][-1]["validation_loss"]
    history = mlflow.read(
        f"metrics/get-history?run_id={info['run_id']}&metric_key=validation_loss"
    )["metrics"]
    assert [(each["step"], each["value"]) for each in history] == [
        (number, each["validation_loss"]) for number, each in enumerate(report["history"], 1)
    ]
    assert tags["handrail.run"] == f"{version.run}/log_to_mlflow"
    assert (tags["handrail.number"], tags["handrail.version"]) == ("1", f"{name}@1")
    assert tags["handrail.store"] == str(Path("models").absolute())
    assert tags["mlflow.source.name"] == "handrail run train"
    assert "## Test on" in tags["mlflow.note.content"]
    (dataset,) = run["inputs"]["dataset_inputs"]
    assert dataset["dataset"]["name"] == "flowers"
    assert dataset["dataset"]["digest"] == version.data[:36]
    (made,) = versions(mlflow, name)
    assert (made["version"], made["run_id"], made["status"]) == ("1", info["run_id"], "READY")
    assert made["source"].startswith("handrail://")
    assert made["source"].endswith(f"/models/versions/{name}/1.json")
    assert f"load_model('{Path('models').absolute()}', '{name}@1')" in made["description"]
    assert pairs(made["tags"])["handrail.version"] == f"{name}@1"


def test_the_files_of_a_version_but_the_model_are_artifacts(
    send: Any, mlflow: Any, name: str
) -> None:
    send()
    (run,) = runs(mlflow, name)
    store = Versions(open_store("models"))
    version = store.get(f"{name}@1")
    listed = mlflow.read(f"artifacts/list?run_id={run['info']['run_id']}")["files"]
    found = {each["path"]: each["file_size"] for each in listed}
    assert found == {
        f"{role.replace('_', '-')}{Path(file.key).suffix}": file.size
        for role, file in version.files.items()
        if role not in ("model", "table")
    }
    (card,) = (
        path for path in mlflow.artifacts.rglob("card.md") if run["info"]["run_id"] in str(path)
    )
    assert card.read_bytes() == store.content(version, "card")


def test_an_undo_leaves_what_others_have_and_nothing_else(
    send: Any, undo: Any, mlflow: Any, name: str
) -> None:
    made = mlflow.ask("POST", "experiments/create", name=name)["experiment_id"]
    other = mlflow.ask("POST", "runs/create", experiment_id=made)["run"]["info"]["run_id"]
    mlflow.ask("POST", "registered-models/create", name=name)
    mlflow.ask("POST", "model-versions/create", name=name, source="s3://acme/models/theirs")
    send()
    assert len(runs(mlflow, name)) == 2
    undo(1)
    assert [run["info"]["run_id"] for run in runs(mlflow, name)] == [other]
    assert [each["version"] for each in versions(mlflow, name)] == ["1"]
    assert experiment(mlflow, name)["lifecycle_stage"] == "active"


def test_an_experiment_and_a_model_of_the_run_go_once_nobody_else_uses_them(
    send: Any, undo: Any, mlflow: Any, name: str
) -> None:
    """The second training used what the first has made, and both are undone, in either order."""
    send()
    send()
    number = experiment(mlflow, name)["experiment_id"]
    undo(1)
    assert [run["info"]["run_name"] for run in runs(mlflow, name)] == [f"{name}@2"]
    assert [each["version"] for each in versions(mlflow, name)] == ["2"]
    undo(2)
    # Who has made them was undone before, and left them to the other.
    assert (runs(mlflow, name), versions(mlflow, name)) == ([], [])
    assert model(mlflow, name) is not None
    other = f"{name}-b"
    send(name=other)
    undo(3)
    assert (experiment(mlflow, other), model(mlflow, other)) == (None, None)
    send(name=other)
    assert len(runs(mlflow, other)) == 1
    assert experiment(mlflow, other)["experiment_id"] != number


MAKING = ("experiments/create", "runs/create", "registered-models/create", "model-versions/create")


@pytest.mark.parametrize("lost", MAKING)
def test_an_answer_that_is_lost_makes_nothing_twice(
    send: Any, undo: Any, mlflow: Any, wire: Wire, name: str, lost: str
) -> None:
    left = [lost]

    def rule(request: Any, forward: Any) -> Any:
        if left and request.target.endswith(left[0]):
            left.pop()
            forward()
            return LOST
        return None

    wire.rules.append(rule)
    send(mlflow=wire.endpoint)
    assert not left
    assert len(runs(mlflow, name)) == 1
    assert [each["version"] for each in versions(mlflow, name)] == ["1"]
    undo(1)
    assert (experiment(mlflow, name), model(mlflow, name)) == (None, None)


def test_a_server_that_fails_afterwards_undoes_the_training(
    send: Any, mlflow: Any, wire: Wire, name: str, here: Path
) -> None:
    """As with any step that fails: nothing is left there, nor in the store."""
    wire.rules.append(
        lambda request, forward: LOST if "model-versions/create" in request.target else None
    )
    with pytest.raises(StepFailedError, match=r"'log_to_mlflow' failed: .* broke, tried 2 times"):
        send(mlflow=wire.endpoint, retries=1)
    assert (experiment(mlflow, name), model(mlflow, name)) == (None, None)
    assert not Versions(open_store("models")).all()


def test_what_a_late_request_has_made_besides_is_deleted(mlflow: Any, name: str) -> None:
    """A request of a killed process may arrive after its run was looked for."""
    client = Client(mlflow.endpoint)
    tracking = Tracking(client=client, mark=f"{name}/log_to_mlflow")
    number = tracking.experiment(name)
    first = tracking.run(number, run_name="first", tags={})
    tags = [{"key": "handrail.run", "value": tracking.mark}]
    mlflow.ask("POST", "runs/create", experiment_id=number, run_name="late", tags=tags)
    tracking.finish(first, 1)
    assert [run["info"]["run_name"] for run in runs(mlflow, name)] == ["first"]
    client.close()


def test_a_long_history_is_sent_in_parts_and_may_be_sent_again(mlflow: Any, name: str) -> None:
    client = Client(mlflow.endpoint)
    tracking = Tracking(client=client, mark=f"{name}/log_to_mlflow")
    run = tracking.run(tracking.experiment(name), tags={})["info"]["run_id"]
    metrics = [
        {"key": "loss", "value": 1 / step, "timestamp": 5, "step": step} for step in range(1, 1003)
    ]
    params = {f"p{number}": str(number) for number in range(101)}
    for _ in range(2):
        tracking.log(run, params, metrics)
    found = mlflow.read(f"metrics/get-history?run_id={run}&metric_key=loss&max_results=9999")
    assert [each["step"] for each in found["metrics"]] == list(range(1, 1003))
    assert pairs(runs(mlflow, name)[0]["data"]["params"]) == params
    client.close()


def test_the_model_stays_until_its_version_there_is_gone(
    send: Any, undo: Any, mlflow: Any, name: str, wire: Wire
) -> None:
    """While the server cannot be reached, its version does not point at a deleted model."""
    send(mlflow=wire.endpoint)
    store = Versions(open_store("models"))
    wire.rules.append(lambda request, forward: LOST)
    with pytest.raises(StepFailedError) as caught:
        undo(1)
    assert caught.value.held_back == {"upload_model": "log_to_mlflow"}
    assert store.get(f"{name}@1")
    assert len(versions(mlflow, name)) == 1
    wire.rules.clear()
    undo(1)
    assert versions(mlflow, name) == []
    assert not store.all()
