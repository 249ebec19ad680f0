"""With a real collector: Rotel takes what is exported, and passes it on."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import flows
import pytest
from receiver import Receiver, check_trace

import handrail_otel
from handrail.sqlite import SqliteJournal

rotel = pytest.importorskip("rotel", reason="there is no wheel of this collector for this machine")


@pytest.fixture
def collector(receiver: Receiver, tmp_path: Path) -> Iterator[str]:
    """A collector that passes on what it takes; its URL."""
    here = ("127.0.0.1", 0)
    with socket.create_server(here) as one, socket.create_server(here) as other:
        http, grpc = one.getsockname()[1], other.getsockname()[1]
    agent = Path(str(rotel.__file__)).parent / "rotel-agent"
    with (tmp_path / "collector.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(agent, "start", "--batch-timeout", "100ms"),
                *("--otlp-http-endpoint", f"127.0.0.1:{http}"),
                *("--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
                *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
                *("--otlp-exporter-endpoint", receiver.url),
            ],
            stdout=log,
            stderr=log,
        )
        try:
            receiver.wait(lambda: process.poll() is not None or _listens(http))
            assert process.poll() is None, (tmp_path / "collector.log").read_text()
            yield f"http://127.0.0.1:{http}"
        finally:
            process.terminate()
            process.wait(60)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_collector_takes_traces(
    collector: str, receiver: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that is exported arrives behind a collector, as it was sent."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
    flows.both.run(journal=journal)
    assert handrail_otel.flush(60)
    receiver.wait(lambda: receiver.named("RUN both"))
    check_trace(receiver.spans)
    assert len(receiver.spans) == 9
