"""What the tests with MLflow share: a server, and one that only answers what it is told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from servers.wire import Answer, Request, Wire

from handrail_train.mlflow import client, undo


@pytest.fixture
def answering() -> Iterator[Callable[..., Wire]]:
    """Make a server that gives the answer for the end of a path, or always the same one."""
    made: list[Wire] = []

    def make(answers: Answer | Mapping[str, Answer]) -> Wire:
        wire = Wire("http://127.0.0.1:1")
        made.append(wire)

        def rule(request: Request, _forward: Any) -> Answer:
            if isinstance(answers, Answer):
                return answers
            path = request.target.partition("?")[0]
            return next(each for end, each in answers.items() if path.endswith(end))

        wire.rules.append(rule)
        return wire

    yield make
    for each in made:
        each.close()


@pytest.fixture
def wire(mlflow: Any) -> Iterator[Wire]:
    """A wire to the real server, which may lose what goes over it."""
    made = Wire(mlflow.endpoint)
    yield made
    made.close()


@pytest.fixture
def name() -> str:
    """The name of a model that no other test has."""
    return f"flowers-{uuid.uuid4().hex[:12]}"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between two attempts, and read no credentials from outside."""
    monkeypatch.setattr(client, "_PAUSE", 0)
    monkeypatch.setattr(undo, "LAG", 0.0)
    for each in ("USERNAME", "PASSWORD", "TOKEN", "SERVER_CERT_PATH", "INSECURE_TLS", "URI"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{each}", raising=False)
