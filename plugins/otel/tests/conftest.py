"""A receiver, and no variables of OpenTelemetry but those that a test sets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import handrail_otel
from handrail.sqlite import SqliteJournal
from handrail_otel import following

sys.path.insert(0, str(Path(__file__).parent))

from receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Leave no thread and nothing to tell behind, and have no variables of others."""
    for name in os.environ:
        if name.startswith(("OTEL_", "OPENLINEAGE_", "TRACEPARENT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield
    handrail_otel.flush(60)
    following._following.clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    with receiving() as listening:
        yield listening


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteJournal]:
    """The journal of an empty folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    with closing(SqliteJournal(".handrail/runs.db", synchronous="normal")) as opened:
        yield opened


@pytest.fixture
def traced(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A receiver of what the runs of this process export."""
    for name, value in receiver.environ.items():
        monkeypatch.setenv(name, value)
    return receiver
