"""MLflow is told of a training only if `--mlflow` says so, and an undo stays at that server."""

from __future__ import annotations

from typing import Any

import pytest
from servers.mlflow import saying

from handrail import ParamsError, RuntimeContext, StepResult
from handrail_testing import SilentLogger
from handrail_train import DefaultTrainAction, LogToMlflowStep, TrainContext, TrainParams
from handrail_train.errors import ContainmentError, VersionError

RUN = "01a21a83-58b6-733d-84f0-05ede60669d1"
MARK = f"{RUN}/log_to_mlflow"


class Context(TrainContext):
    run = RUN
    run_id = RUN


def context(**given: Any) -> TrainContext:
    params = TrainParams(data="iris", **given)
    return Context(RuntimeContext(logger=SilentLogger()), params=params.model_dump())


def names(**given: Any) -> list[str]:
    return [step.name for step in DefaultTrainAction.partial(given, packs=()).plan().steps]


def test_no_step_is_there_unless_asked_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable is there for other programs; it does not mean that data is to be sent."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert not [name for name in names() if "mlflow" in name]


def test_the_server_is_checked_first_and_told_last() -> None:
    found = names(mlflow="http://127.0.0.1:5000")
    assert (found[1], found[-2:]) == ("check_mlflow", ["upload_model", "log_to_mlflow"])


def test_the_plan_says_who_put_the_steps_there(handrail: Any) -> None:
    told = handrail("plan", "train", "iris", "--mlflow", "http://127.0.0.1:5000").stdout
    (line,) = (each for each in told.splitlines() if " log_to_mlflow " in each)
    assert "handrail-train" in line
    assert "yes" in line


def test_a_dry_run_asks_the_server_and_says_what_it_would_tell(
    answering: Any, handrail: Any
) -> None:
    wire = answering(saying(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}))
    words = ("run", "train", "iris", "--mlflow", wire.endpoint, "--dry-run")
    done = handrail(*words, "--mlflow-experiment", "plants")
    told = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert f"{wire.endpoint} answers" in " ".join((done.stdout + done.stderr).split())
    assert "log a run in the experiment plants and register a version of iris" in told
    assert [each.method for each in wire.requests] == ["GET"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mlflow": "mlruns"}, "an address such as http"),
        ({"mlflow": "http://ada:hunter7@h"}, "a secret in the mlflow.*MLFLOW_TRACKING_PASSWORD"),
        ({"mlflow": "https://hunter7@h"}, "a secret in the mlflow.*MLFLOW_TRACKING_PASSWORD"),
        ({"mlflow": "hunter7@h"}, "a secret in the mlflow.*MLFLOW_TRACKING_PASSWORD"),
        ({"mlflow_experiment": "plants"}, "needs --mlflow URL"),
    ],
)
def test_what_makes_no_sense_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=f"(?s){said}") as error:
        DefaultTrainAction({"data": "iris", **given}, packs=())
    assert "hunter7" not in str(error.value)


def test_a_step_of_another_workflow_needs_a_server_and_a_stored_model() -> None:
    made = context()
    with pytest.raises(VersionError, match="no model was stored"):
        LogToMlflowStep().execute(made)


def test_an_undo_of_nothing_asks_no_server() -> None:
    LogToMlflowStep().rollback(context(mlflow="http://127.0.0.1:1"), StepResult())


@pytest.mark.parametrize(
    "forged",
    [
        {"server": ["http://127.0.0.1:2"]},
        {"server": ["file:///etc"]},
        {"mark": ["other/log_to_mlflow"]},
        {"experiments": ["0 OR 1"]},
        {"models": ["x' OR name LIKE '%"]},
        {"files": ["../../other/card.md"]},
    ],
)
def test_what_a_journal_says_of_others_is_refused(answering: Any, forged: Any) -> None:
    """All the rest is undone, and no request is about what is refused."""
    nothing = {"experiments": [], "runs": []}
    wire = answering(saying(200, nothing))
    honest = {"server": [wire.endpoint], "mark": [MARK]}
    result = StepResult(rollback_data={**honest, **forged})
    with pytest.raises(ContainmentError, match="nothing of it was touched"):
        LogToMlflowStep().rollback(context(mlflow=wire.endpoint, retries=0), result)
    told = b"".join(each.body for each in wire.requests).decode()
    assert "OR" not in told
    assert "other" not in told
    assert not [each for each in wire.requests if each.method in ("DELETE", "PUT")]


def test_without_a_server_in_the_params_nothing_is_sent() -> None:
    made = context()
    data = {"server": ["http://127.0.0.1:1"], "mark": [MARK]}
    with pytest.raises(ContainmentError, match="by the params of the run it is None"):
        LogToMlflowStep().rollback(made, StepResult(rollback_data=data))
