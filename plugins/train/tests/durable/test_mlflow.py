"""A training that is killed at a request to MLflow leaves one run there, or none."""

from __future__ import annotations

import os
import signal
import uuid
from typing import Any
from urllib.parse import quote

import pytest

KILLED = -signal.SIGKILL

local = pytest.mark.parametrize("scene", ["folder"], indirect=True)
wide = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="HANDRAIL_FAULTS is not set")

CREATING = (
    *("experiments/create", "runs/create", "registered-models/create", "model-versions/create"),
)
CHANGING = ("runs/log-batch", "card.md", "runs/update")
LOOKING = ("runs/search", "model-versions/search", "runs/log-inputs", "get-by-name")
UNDOING = (
    *("model-versions/delete", "registered-models/delete", "card.md"),
    *("runs/delete", "experiments/update", "experiments/delete"),
)


def seen(server: Any, name: str) -> dict[str, Any]:
    """Return what a person sees of the experiment and the model of this name."""
    found = server.read(f"experiments/get-by-name?experiment_name={name}").get("experiment")
    model = server.read(f"registered-models/get?name={name}").get("registered_model")
    where = quote(f"name='{name}'")
    versions = server.read(f"model-versions/search?filter={where}").get("model_versions", [])
    listed = [] if found is None else [found["experiment_id"]]
    runs = server.ask("POST", "runs/search", experiment_ids=listed) if listed else {}
    return {
        "experiment": found and found["lifecycle_stage"],
        "runs": [
            (each["info"]["run_name"], each["info"]["status"]) for each in runs.get("runs", [])
        ],
        "versions": [
            (each["name"], each["run_id"] == runs["runs"][0]["info"]["run_id"]) for each in versions
        ],
        "model": model is not None,
    }


NOTHING = {"experiment": None, "runs": [], "versions": [], "model": False}


def told(name: str) -> dict[str, Any]:
    """Return what a person sees once the training is told."""
    return {
        "experiment": "active",
        "runs": [(f"{name}@1", "FINISHED")],
        "versions": [(name, True)],
        "model": True,
    }


@pytest.fixture
def name() -> str:
    return f"flowers-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def logged(scene: Any, training: Any, mlflow: Any, name: str) -> Any:
    return training(scene, mlflow=mlflow.endpoint, name=name)


def ended(logged: Any, server: Any, name: str, way: str) -> None:
    """Finish it, or undo it, in a new process, and see that all is right; undo what is finished."""
    if way == "resume":
        answer = logged.do("resume")
        assert "error" not in answer, answer
        assert seen(server, name) == told(name)
    answer = logged.do("rollback")
    assert "error" not in answer, answer
    assert logged.outcome == "rolled_back"
    assert seen(server, name) == NOTHING
    cards = server.artifacts.rglob("card.md")  # Those of other tests too.
    assert not [path for path in cards if f"# {name}" in path.read_text().replace("\\", "")]


@local
@pytest.mark.parametrize(
    ("request_", "way"),
    [*((each, "resume") for each in CREATING), *((each, "rollback") for each in CREATING[1::2])],
)
def test_killed_before_the_answer_that_something_is_made(
    logged: Any, mlflow: Any, name: str, request_: str, way: str
) -> None:
    assert logged.do("run", request=request_, nth=1)["code"] == KILLED
    ended(logged, mlflow, name, way)


@local
@pytest.mark.parametrize("request_", CHANGING[1::2])
def test_killed_after_a_change(logged: Any, mlflow: Any, name: str, request_: str) -> None:
    assert logged.do("run", request=request_, nth=1)["code"] == KILLED
    ended(logged, mlflow, name, "resume")


@local
@wide
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("request_", [*CREATING, *CHANGING, *LOOKING])
def test_killed_at_each_request(
    logged: Any, mlflow: Any, name: str, request_: str, way: str, when: str
) -> None:
    assert logged.do("run", request=request_, nth=1, when=when)["code"] == KILLED
    ended(logged, mlflow, name, way)


@local
def test_killed_again_and_again_while_it_is_undone(logged: Any, mlflow: Any, name: str) -> None:
    """Each process takes back one thing more, and dies before it hears of it."""
    assert logged.do("run")["code"] == 0
    assert seen(mlflow, name) == told(name)
    for each in UNDOING:
        assert logged.do("rollback", request=each, nth=1)["code"] == KILLED, each
    ended(logged, mlflow, name, "rollback")
