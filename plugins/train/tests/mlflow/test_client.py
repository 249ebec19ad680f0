"""What an MLflow server refuses, or does not answer, is one clear message with a way out."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from servers.mlflow import saying
from servers.process import free_port
from servers.wire import LOST, Request

from handrail import StepFailedError
from handrail.errors import HandrailError
from handrail_train.errors import MlflowError
from handrail_train.mlflow.client import Client, parse_server
from handrail_train.mlflow.tracking import Tracking

ABSENT = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}


@pytest.fixture
def connect() -> Iterator[Any]:
    made: list[Client] = []

    def connect(url: str, **more: Any) -> Client:
        made.append(Client(url, **{"retries": 2, **more}))
        return made[-1]

    yield connect
    for each in made:
        each.close()


def failing(client: Client) -> MlflowError:
    """Return what the check of a server fails with."""
    with pytest.raises(MlflowError) as raised:
        Tracking(client=client, mark="run/step").check("flowers")
    return raised.value


@pytest.mark.parametrize(
    ("answer", "message", "way_out"),
    [
        (saying(401, "who?"), "asks for credentials (401)", "give MLFLOW_TRACKING_USERNAME and"),
        (
            saying(403, "Permission denied"),
            ": Forbidden (403)",
            "ask for the right to write there",
        ),
        (
            saying(403, {"error_code": "PERMISSION_DENIED", "message": "not\nyou"}),
            ": PERMISSION_DENIED (403): not you",
            "ask for the right to write there",
        ),
        (saying(404, "<html>"), "is no tracking server of MLflow: it does not know", "--mlflow"),
        (saying(200, "<html>"), "is no tracking server of MLflow: experiments", "--mlflow"),
        (saying(200, "[1]"), "is no tracking server of MLflow: experiments", "--mlflow"),
        (
            saying(302, Location="https://login.acme.example"),
            "is no tracking server of MLflow: it leads to https://login.acme.example (302)",
            "--mlflow the address at which a browser",
        ),
        (
            saying(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "x" * 999}),
            f": INVALID_PARAMETER_VALUE (400): {'x' * 299}…",
            "",
        ),
    ],
)
def test_a_refusal_is_told_once_and_not_retried(
    answering: Any, connect: Any, answer: Any, message: str, way_out: str
) -> None:
    wire = answering(answer)
    error = failing(connect(wire.endpoint))
    assert error.message.startswith(wire.endpoint)
    assert error.message.endswith(message) or message in error.message
    assert way_out in " ".join(error.ways_out)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_retried_and_said(answering: Any, connect: Any, status: int) -> None:
    said: list[Any] = []
    wire = answering(saying(status, "busy"))
    error = failing(connect(wire.endpoint, on_status=said.append))
    assert error.message.endswith("busy, tried 3 times")
    assert said == [f"retrying {each}/2: {wire.endpoint} answers {status}" for each in (1, 2)]
    assert len(wire.requests) == 3


def test_nothing_is_said_any_more_once_it_answers(answering: Any, connect: Any) -> None:
    said: list[Any] = []
    answers = iter([saying(503), saying(404, ABSENT)])
    wire = answering(saying(404, ABSENT))
    wire.rules.insert(0, lambda request, forward: next(answers))
    client = connect(wire.endpoint, on_status=said.append)
    Tracking(client=client, mark="run/step").check("flowers")
    assert said == [f"retrying 1/2: {wire.endpoint} answers 503", None]


def test_a_connection_that_breaks_is_retried(answering: Any, connect: Any) -> None:
    wire = answering(LOST)
    assert failing(connect(wire.endpoint)).message == (
        f"the connection to {wire.endpoint} broke, tried 3 times"
    )
    assert len(wire.requests) == 3


def test_a_server_that_is_down_is_told_with_what_to_do(connect: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    error = failing(connect(url))
    assert error.message == f"{url} cannot be reached: connection refused, tried 3 times"
    assert error.ways_out == ("start the server, or check the address that --mlflow gives",)


def test_a_server_that_does_not_answer_in_time(
    answering: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect("http://127.0.0.1:1", retries=0)

    def late(*given: Any, **named: Any) -> Any:
        assert named["timeout"] == (10, 60)
        raise client._requests.exceptions.ReadTimeout("read timed out")

    monkeypatch.setattr(client._session, "request", late)
    assert failing(client).message == "http://127.0.0.1:1 did not answer in time, tried once"


CREDENTIALS = [
    (
        {"USERNAME": "ada", "PASSWORD": "hunter7"},
        f"Basic {base64.b64encode(b'ada:hunter7').decode()}",
    ),
    ({"TOKEN": "tk-5f"}, "Bearer tk-5f"),
    ({"USERNAME": "ada", "PASSWORD": "hunter7", "TOKEN": "tk-5f"}, "Basic "),
]


@pytest.mark.parametrize(("given", "sent"), CREDENTIALS)
def test_credentials_come_from_the_variables_of_mlflow_and_are_never_shown(
    answering: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, given: Any, sent: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    told = {"error_code": "BAD_REQUEST", "message": "hunter7 or tk-5f is wrong"}
    wire = answering(saying(400, told))
    error = failing(connect(wire.endpoint))
    assert wire.requests[0].headers["Authorization"].startswith(sent)
    for secret in {"hunter7", "tk-5f"} & set(given.values()):
        assert secret not in error.message
    assert "**********" in error.message


def test_credentials_that_are_not_taken_are_to_be_checked(
    answering: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tk-5f")
    wire = answering(saying(401))
    error = failing(connect(wire.endpoint))
    assert error.message == f"{wire.endpoint} does not take the credentials (401)"
    assert error.ways_out[0].startswith("check MLFLOW_TRACKING_USERNAME")


def test_a_password_follows_no_redirection(
    answering: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tk-5f")
    other = answering(saying(200))
    wire = answering(saying(307, Location=f"{other.endpoint}/x"))
    failing(connect(wire.endpoint))
    assert not other.requests


def test_a_deleted_experiment_is_told_before_anything_is_trained(
    answering: Any, params: Any, train: Any
) -> None:
    found = {"experiment": {"experiment_id": "7", "lifecycle_stage": "deleted", "name": "flowers"}}
    wire = answering(saying(200, found))
    with pytest.raises(StepFailedError, match="'check_mlflow' failed: the experiment flowers is "):
        train(params(mlflow=wire.endpoint, retries=0))
    assert [each.method for each in wire.requests] == ["GET"]


def test_an_experiment_that_others_make_at_the_same_moment_is_used(
    answering: Any, connect: Any
) -> None:
    taken = {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "taken"}
    found = {"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}
    looks = iter([saying(404, ABSENT), saying(200, found)])
    wire = answering({"experiments/create": saying(400, taken)})

    def rule(request: Request, _forward: Any) -> Any:
        return next(looks) if "get-by-name" in request.target else None

    wire.rules.insert(0, rule)
    tracking = Tracking(client=connect(wire.endpoint), mark="run/step")
    assert tracking.experiment("flowers") == "7"


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(HandrailError, match="requests, which is not installed") as raised:
        Client("http://127.0.0.1:1")
    assert raised.value.ways_out == ("pip install 'handrail-train[mlflow]'",)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("https://acme.example/mlflow", "https://acme.example/mlflow"),
    ],
)
def test_the_address_of_a_server(text: str, url: str) -> None:
    assert parse_server(text) == url


@pytest.mark.parametrize("text", ["mlflow.db", "sqlite:///x.db", "databricks", "http://", ""])
def test_what_is_no_address_of_a_server(text: str) -> None:
    with pytest.raises(ValueError, match="an address such as http"):
        parse_server(text)


@pytest.mark.parametrize("text", ["http://a:b@h", "http://t@h", "http://h?token=x", "http://h#x"])
def test_an_address_has_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match="give MLFLOW_TRACKING_USERNAME"):
        parse_server(text)
