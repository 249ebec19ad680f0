"""What is refused before Ray is even imported, and what is compared and sent."""

from __future__ import annotations

import importlib
import inspect
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from handrail.errors import ExecutorError
from handrail_ray import cluster, executor, make_executor, shipped, versions
from handrail_testing.executor_contract import ContractHost
from handrail_workers import AttemptId, ChunkCall, CodeRef, Full


class Host(ContractHost):
    journal = "postgresql://ada@db/runs"
    run = 12


@pytest.mark.parametrize("url", ["ray:", "ray:0", "ray:two", "ray:-1", "ray:8:8", "rays"])
def test_a_url_is_a_name_and_a_number(url: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ExecutorError, match="is no executor on a Ray cluster") as refused:
        make_executor(url, Host())
    assert "ray:8" in refused.value.ways_out[0]


def test_the_address_of_a_dashboard_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what `ray job submit` takes from the same variable."""
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    with pytest.raises(ExecutorError, match="is no address of a node") as refused:
        make_executor("ray", Host())
    assert "RAY_API_SERVER_ADDRESS" in refused.value.ways_out[1]


def test_ray_still_writes_where_it_is_hushed() -> None:
    """A Ray that writes otherwise would write between the results of a run."""
    source = inspect.getsource(importlib.import_module("ray._private.worker").listen_error_messages)
    assert "print_to_stdstream(" in source


def test_ray_does_not_handle_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it starts nor later: its handlers raise SystemExit, and undo nothing."""
    utils, worker, node = (
        importlib.import_module(f"ray._private.{name}") for name in ("utils", "worker", "node")
    )
    for module in (worker, node):
        assert "ray._private.utils.set_sigterm_handler(" in inspect.getsource(module)
    monkeypatch.setattr(utils, "set_sigterm_handler", utils.set_sigterm_handler)
    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    seen: list[object] = []

    def init(**_: object) -> None:
        utils.set_sigterm_handler(lambda *_: None)
        seen.append(signal.getsignal(signal.SIGTERM))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # As one that Ray installs below Python.
        signal.alarm(3600)

    ray = SimpleNamespace(is_initialized=bool, init=init)
    monkeypatch.setenv("RAY_ADDRESS", "local")
    monkeypatch.setattr(cluster, "ray_module", lambda: ray)
    before = signal.getsignal(signal.SIGTERM)
    assert cluster.connect(3) == 3
    assert [*seen, signal.getsignal(signal.SIGTERM)] == [before, before]
    assert signal.alarm(0) == 0


@pytest.mark.parametrize(("slots", "asked"), [(2, 3), (9, 4), (100, 5)])
def test_workers_start_while_nodes_are_checked(
    monkeypatch: pytest.MonkeyPatch, slots: int, asked: int
) -> None:
    """As many at once as a share of the slots and the cores allow: Ray starts one more itself."""
    sent: list[object] = []
    nodes = [cluster.Node("a", "10.0.0.1", 4.0), cluster.Node("b", "10.0.0.2", 1.0)]
    nodes.append(cluster.Node("c", "10.0.0.3", 0.5))
    task = SimpleNamespace(remote=lambda job: sent.append(job) or len(sent))
    ray = SimpleNamespace(
        wait=lambda refs, **_: (refs, []),
        get=lambda ref: "",
        exceptions=SimpleNamespace(RayTaskError=OSError, RayError=OSError),
    )
    monkeypatch.setattr(executor, "ray_module", lambda: ray)
    monkeypatch.setattr(executor, "nodes", lambda: nodes)
    monkeypatch.setattr(executor, "_on", str)
    monkeypatch.setattr(
        executor, "_remote", lambda *_, **__: SimpleNamespace(options=lambda **_: task)
    )
    job = object()
    executor._check_nodes(job, slots)
    assert sent == [job] * asked


@pytest.mark.parametrize(("cores", "at_a_time"), [(2, 4), (1, 4), (3, 2)])
def test_ray_works_on_no_more_than_the_slots_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, at_a_time: int
) -> None:
    """What it is given beyond them waits in its queue only where all cores are busy with them."""
    host = ContractHost()
    host.journal, host.run = "postgresql://db/runs", 1
    given: list[int] = []

    def remote(job: object, call: ChunkCall, token: int) -> object:
        given.append(call.attempt.chunk)
        return object()

    opened = executor.RayExecutor("ray:2", host)
    monkeypatch.setattr(executor, "nodes", lambda: [cluster.Node("a", "10.0.0.1", cores)])
    opened._task = SimpleNamespace(remote=remote)
    opened._fences = SimpleNamespace(token=lambda: 1)
    opened._most = opened._at_a_time()
    calls = [
        ChunkCall(attempt=AttemptId("run", "step", 1, chunk, 1, False), first=chunk, items=[chunk])
        for chunk in range(5)
    ]
    for call in calls[:4]:
        opened.submit(call)
    assert given == list(range(at_a_time))
    with pytest.raises(Full):
        opened.submit(calls[4])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no.such.host.invalid:6379", "[::1]:99999"])
def test_a_cluster_that_does_not_answer_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Ray would try for minutes."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(cluster, "ray_module", lambda: SimpleNamespace(is_initialized=bool))
    with pytest.raises(ExecutorError, match=f"RAY_ADDRESS={re.escape(address)} cannot be joined"):
        cluster.connect(None)


def test_making_one_starts_nothing() -> None:
    """Neither Ray nor a journal is imported until it is opened."""
    code = (
        "import sys; from handrail_ray import make_executor;"
        "from handrail_testing.executor_contract import ContractHost;"
        "host = ContractHost(); host.journal, host.run = 'postgresql://db/runs', 1;"
        "assert make_executor('ray:4', host).guarantees.slots == 4;"
        "assert not {'ray', 'handrail_postgres'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_differences_are_named_and_counted() -> None:
    """Python first, and no more than fit into a line."""
    run = {"Python": "3.11.7", **{f"lib{n}": "1" for n in range(9)}}
    node = {"Python": "3.11.9", **{f"lib{n}": "2" for n in range(8)}}
    assert versions.differences(run, run) == ""
    told = versions.differences(run, node)
    assert told.startswith("Python is 3.11.9 there and 3.11.7 here, lib0 is 2 there and 1 here")
    assert told.endswith(", and 5 more")
    assert versions.differences({"a": "1"}, {}) == "a is missing there and 1 here"


def test_what_ray_brings_along_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """It puts a psutil of its own before that of the environment, when it is imported."""
    before = versions.versions()
    import ray

    monkeypatch.syspath_prepend(str(Path(ray.__file__).parent / "thirdparty_files"))
    assert versions.versions() == before


@pytest.fixture
def code(tmp_path: Path) -> CodeRef:
    """A workflow in a file of a project, with a package beside it, and what is no code."""
    project = tmp_path / "project"
    code = ("flows/nightly.py", "flows/parts/__init__.py", "flows/parts/one.py")
    for place in (*code, "flows/.venv/lib/x.py", "flows/data.csv", "handrail.toml"):
        file = project / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {place}\n")
    return CodeRef(
        function="nightly:work",
        files={"nightly": str(project / "flows/nightly.py")},
        path=(str(project / "flows"),),
        checked=(str(project / "flows"),),
        folder=str(project),
    )


def test_code_that_is_there_is_used_there(code: CodeRef, tmp_path: Path) -> None:
    """So functions find the files beside it."""
    below = tmp_path / "session"
    below.mkdir()
    sent, _ = shipped.ship(code)
    assert shipped.unpack(sent, below, dict) == code
    assert list(below.iterdir()) == []


@pytest.mark.parametrize("how", ["missing", "changed"])
def test_code_that_is_not_there_is_unpacked(code: CodeRef, tmp_path: Path, how: str) -> None:
    """All workers of a node share it; it lies as it did, with the settings of the project.

    The working folder stays, if there is one: what items read and write is there.
    """
    project, below = Path(code.folder), tmp_path / "session"
    below.mkdir()
    sent, contents = shipped.ship(code)
    if how == "missing":
        project.rename(tmp_path / "gone")
    else:
        (project / "flows/nightly.py").write_text("# another\n")
    found = shipped.unpack(sent, below, lambda: contents)
    assert found == shipped.unpack(sent, below, dict)
    [unpacked] = below.iterdir()
    place = unpacked / project.relative_to("/")
    assert found.path == found.checked == (str(place / "flows"),)
    assert found.source == str(place)
    assert found.folder == (str(place) if how == "missing" else code.folder)
    assert Path(found.files["nightly"]).read_text() == "# flows/nightly.py\n"
    files = sorted(str(each.relative_to(place)) for each in place.rglob("*") if each.is_file())
    parts = ["flows/parts/__init__.py", "flows/parts/one.py"]
    assert files == ["flows/nightly.py", *parts, "handrail.toml"]


def test_too_much_code_is_refused(code: CodeRef, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be sent to each node."""
    monkeypatch.setattr(shipped, "LARGEST", 20)
    with pytest.raises(ExecutorError, match="too much to send them to the nodes"):
        shipped.ship(code)
