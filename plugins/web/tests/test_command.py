"""The command: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from recorded_runs import Journal, planned, started
from sites import Server

from handrail.cli import main


def test_it_prints_an_address_that_lets_one_in(
    serve: Callable[..., Server], journal: Journal
) -> None:
    journal.add([planned("scan")], started("scan"))
    server = serve()
    with httpx.Client(timeout=60) as client:
        answer = client.get(server.address)
        assert answer.status_code == 303
        page = client.get(f"http://127.0.0.1:{server.port}{answer.headers['location']}")
        assert "run-1" in page.text
        assert "server" not in page.headers


def test_it_ends_at_ctrl_c_with_open_streams(
    serve: Callable[..., Server], journal: Journal
) -> None:
    journal.add([planned("scan")], started("scan"))
    server = serve()
    with httpx.Client(follow_redirects=True, timeout=60) as client:
        root = str(client.get(server.address).url).rstrip("/")
        streams = [client.build_request("GET", f"{root}/live?page=/runs/1") for _ in range(5)]
        opened = [client.send(each, stream=True) for each in streams]
        lines = [each.iter_lines() for each in opened]
        assert [next(each) for each in lines] == ["retry: 500"] * 5
        server.process.send_signal(signal.SIGINT)
        rest = [list(each) for each in lines]
    assert all(any("hello" in line for line in each) for each in rest)
    # Without words about it: that is how it ends.
    code, err = server.stop()
    assert code == 0
    assert "Traceback" not in err
    assert "Cancel" not in err


def test_a_port_that_is_taken_is_one_message(
    capfd: pytest.CaptureFixture[str], journal: Journal
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["web", "--port", str(port)]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"error: the port {port} of 127.0.0.1 is in use",
        "  use another one:  handrail web --port 0",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_let_in_on_purpose_only(
    host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", "--host", host, "--port", "0"]) == 2
    assert "--allow-remote" in capfd.readouterr().err


def test_where_other_machines_are_let_in_it_warns(serve: Callable[..., Server]) -> None:
    server = serve("--host", "0.0.0.0", "--allow-remote")
    assert f"//{socket.gethostname()}:{server.port}/" in server.address
    local = f"http://127.0.0.1:{server.port}"
    address = f"{local}/{server.address.split('/', 3)[3]}"
    assert httpx.get(address, timeout=60).status_code == 303
    _, err = server.stop()
    assert "is not encrypted" in err


def test_a_journal_that_was_named_must_be_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--journal", "nowhere.db"]) != 0
    assert "nowhere.db" in capfd.readouterr().err


def test_help_imports_no_server() -> None:
    """Nor does a list of packs."""
    code = (
        "import json, sys; from handrail.cli import main; main(['web', '--help']); "
        "print(json.dumps([x for x in ('starlette', 'uvicorn', 'anyio') if x in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
