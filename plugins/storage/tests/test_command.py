"""`handrail claims`: which claims it lists, what it says ends them, and what it undoes."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from handrail.cli import main
from handrail_storage import Store, open_store
from handrail_storage.claims import Claim, Claimant, Claims, Clock, Held

HOUR = 3600.0

Run = Callable[..., Claim]
Call = Callable[..., tuple[int, str, str]]


class Times:
    """A clock that stands still until somebody waits."""

    def __init__(self) -> None:
        self.seconds = 1.8e9
        self.clock = Clock(now=lambda: self.seconds, elapsed=lambda: self.seconds, sleep=self.wait)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    """Return the clock of the runs and of the command."""
    times = Times()
    monkeypatch.setattr("handrail_storage.claims.claims.Clock", lambda: times.clock)
    monkeypatch.setattr("handrail_storage.claims.command.time.time", lambda: times.seconds)
    return times


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the target, which the command calls `store`."""
    monkeypatch.chdir(tmp_path)
    store = open_store("store")
    store.prepare(lambda name: None)
    return store


@pytest.fixture
def run(store: Store, times: Times) -> Run:
    """Let a run begin, and hold what it has stored unless it is killed before."""
    return runs_at(store, times)


def runs_at(store: Store, times: Times) -> Run:
    def start(
        number: int,
        host: str,
        files: Mapping[str, bytes],
        *,
        killed: bool = False,
        journal: str = "",
        project: str = "",
    ) -> Claim:
        claimant = Claimant(
            run=f"01a2-{number}-{host}{f'-{project}' if project else ''}",
            number=number,
            host=host,
            user="ada",
            journal=journal or f"/srv/{host}/runs.db",
            action="upload",
        )
        claims = Claims(store, claimant, clock=times.clock)
        claim = claims.ask(dict.fromkeys(files))
        held = list(_stored(store, claim, files))
        if not killed:
            claim.hold(held)
        return claim

    return start


def _stored(store: Store, claim: Claim, files: Mapping[str, bytes]) -> Iterator[Held]:
    for key, content in files.items():
        found = store.stat(key) or store.create(key, content, claim.mark("upload_files"))
        yield Held(key=key, size=found.size, sha256=found.sha256, etag=found.etag)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `handrail claims`; return the exit code, standard output and standard error."""

    def command(*words: str) -> tuple[int, str, str]:
        code = main(["claims", *words])
        written = capsys.readouterr()
        return code, written.out, written.err

    return command


def keys(store: Store) -> list[str]:
    return sorted(each.key for each in store.listing())


def test_a_completed_run_is_listed_as_relied_on(run: Run, call: Call, times: Times) -> None:
    """Its row has the name that --undo takes, the number of keys and its age."""
    run(15, "build-7", {"a": b"1", "b": b"2"})
    times.wait(3 * HOUR)
    code, out, _ = call("store")
    assert code == 0
    assert out.splitlines() == [
        "RUN  STATE      ON       ACTION  KEYS  BEGAN   HEARD OF  USER",
        "15   relied on  build-7  upload  2     3h ago  3h ago    ada",
        "1 claim at store",
    ]


def test_a_claim_that_blocks_is_listed_first_with_what_ends_it(run: Run, call: Call) -> None:
    """The commands name the journal of the run, and its machine."""
    run(8, "laptop-3", {"c": b"3"})
    run(15, "build-7", {"a": b"1"}, killed=True)
    _, out, _ = call("store")
    assert out.splitlines()[1].startswith("15   working    build-7   upload")
    assert out.splitlines()[3:] == [
        "2 claims at store",
        "run 15 on build-7 (user ada, journal /srv/build-7/runs.db) is in the way of runs with the "
        "same keys",
        "  on build-7  handrail resume 15 --journal /srv/build-7/runs.db",
        "  or          handrail rollback 15 --journal /srv/build-7/runs.db",
        "  anywhere    handrail claims store --undo 15 --on build-7",
    ]


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_list_fits_and_loses_nothing(
    run: Run, call: Call, monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    """Machines, counts and commands are whole, also in a pipe, which has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    files = {f"key-{number}": b"1" for number in range(1234)}
    run(1_234_567, "build-7.of-the-team-that-ships.acme.example", files)
    run(8, "laptop-3", {"c": b"3"}, killed=True, journal=f"/srv/{'資料を送る/' * 9}runs.db")
    _, out, _ = call("store")
    lines = out.splitlines()
    # Commands are never broken, so that they can be copied.
    texts = [line for line in lines if "handrail " not in line]
    assert max(map(_columns, texts)) <= (width or 100) or width is None
    assert lines[0].split()[:2] == ["RUN", "STATE"]
    shown = " ".join(out.split())
    for words in ("build-7.of-the-team-that-ships.acme.example", "1,234", "working", "relied on"):
        assert words in shown
    assert "handrail claims store --undo 8 --on laptop-3" in shown


def _columns(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def test_runs_of_one_number_on_one_machine_are_named_by_their_ids(run: Run, call: Call) -> None:
    """Each project on a machine has its own journal, with its own run 1."""
    run(1, "build-7", {"a": b"1"}, project="cars")
    run(1, "build-7", {"a": b"1"}, project="bikes")
    run(2, "build-7", {"a": b"1"})
    _, out, _ = call("store")
    names = {line.split()[0] for line in out.splitlines()[1:4]}
    assert names == {"01a2-1-build-7-cars", "01a2-1-build-7-bikes", "2"}
    code, _, err = call("store", "--undo", "1", "--on", "build-7", "--dry-run")
    assert code == 2
    assert "1 on build-7 may be any of 2 runs" in err


def test_json_has_every_claim(run: Run, call: Call) -> None:
    """Programs get the state in the same words, and the commands one by one."""
    run(15, "build-7", {"a": b"1"}, killed=True)
    code, out, _ = call("store", "--json")
    document = json.loads(out)
    assert (code, document["target"]) == (0, "store")
    (claim,) = document["claims"]
    assert claim["uid"] == "01a2-15-build-7"
    assert (claim["id"], claim["host"], claim["user"]) == (15, "build-7", "ada")
    assert (claim["state"], claim["keys"], claim["blocks"]) == ("working", 1, True)
    assert claim["undo"] == "handrail claims store --undo 15 --on build-7"
    assert re.fullmatch(r"2027-01-15T\d\d:\d\d:\d\dZ", claim["renewed"])


def test_old_claims_that_block_nobody_are_counted(run: Run, call: Call) -> None:
    """A nightly upload leaves thousands; the latest thirty are shown."""
    for number in range(32):
        run(number, "build-7", {"a": b"1"})
    _, out, _ = call("store")
    assert "32 claims at store · the 2 oldest are not shown (--all)" in out
    assert "\n1  " not in out
    _, out, _ = call("store", "--all")
    assert "\n1  " in out


def test_a_target_without_claims_says_so(store: Store, call: Call) -> None:
    assert call("store")[:2] == (0, "0 claims at store\n")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere", "there is no folder nowhere"),
        ("ftp://example.com", "no storage is known as ftp://"),
    ],
)
def test_a_target_that_cannot_be_read_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call, target: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(target)
    assert code in (1, 2)
    assert (out, err.count("error:")) == ("", 1)
    assert message in err


def test_a_damaged_claim_is_one_message(run: Run, call: Call, tmp_path: Path) -> None:
    """It names the run; the other claims are listed."""
    run(15, "build-7", {"a": b"1"})
    (state,) = tmp_path.glob("store/.handrail-target/claims/*/state")
    run(8, "laptop-3", {"a": b"1"})
    state.write_text("{")
    code, out, _ = call("store")
    assert code == 1
    assert "\n8    relied on  laptop-3" in out
    assert "damaged: .handrail-target/claims/01a2-15-build-7/state at store cannot be read" in out


# Undo


def test_an_undo_leaves_what_others_rely_on(
    run: Run, call: Call, store: Store, times: Times
) -> None:
    run(15, "build-7", {"a": b"1", "b": b"2"})
    run(8, "laptop-3", {"b": b"2"})
    times.wait(2 * HOUR)
    code, out, err = call("store", "--undo", "15", "--on", "build-7", "--yes")
    assert (code, err) == (0, "")
    assert out == (
        "run 15 on build-7 is undone at store: 1 object deleted, "
        "1 stays: run 8 on laptop-3 relies on it\n"
    )
    assert keys(store) == ["b"]
    assert "1 claim at store" in call("store")[1]


def test_an_undo_waits_until_the_last_sign_of_life_is_an_hour_old(
    run: Run, call: Call, store: Store, times: Times
) -> None:
    """A process that is thought dead may have requests on their way."""
    run(15, "build-7", {"a": b"1"}, killed=True)
    times.wait(0.25 * HOUR)
    began = times.seconds
    code, _, err = call("store", "--undo", "15", "--on", "build-7", "--yes")
    assert code == 0
    assert times.seconds - began == pytest.approx(0.75 * HOUR)
    assert "run 15 on build-7 is told to stop" in err
    assert "45m left" in err
    assert keys(store) == []


def test_an_undo_leaves_no_empty_folders(
    run: Run, call: Call, times: Times, tmp_path: Path
) -> None:
    """Neither those of files nor the one with the claims, once the last run is undone."""
    run(15, "build-7", {"a/b/c": b"1", "a/d": b"2"})
    times.wait(2 * HOUR)
    assert call("store", "--undo", "15", "--on", "build-7", "--yes")[0] == 0
    assert list((tmp_path / "store").iterdir()) == []


def test_an_undo_removes_what_a_kill_left_half_written(
    run: Run, call: Call, times: Times, tmp_path: Path
) -> None:
    """A file gets its name when it is complete; until then it has a temporary one."""
    claim = run(15, "build-7", {"a": b"1"}, killed=True)
    (tmp_path / f"store/a.handrail-tmp-{claim.run}").write_bytes(b"ha")
    times.wait(2 * HOUR)
    assert call("store", "--undo", "15", "--on", "build-7", "--yes")[0] == 0
    assert list((tmp_path / "store").iterdir()) == []


def test_take_over_does_not_wait(run: Run, call: Call, store: Store, times: Times) -> None:
    run(15, "build-7", {"a": b"1"}, killed=True)
    began = times.seconds
    code, _, err = call("store", "--undo", "15", "--on", "build-7", "--yes", "--take-over")
    assert (code, err, times.seconds) == (0, "", began)
    assert keys(store) == []


def test_an_interrupted_wait_loses_nothing(
    run: Run, call: Call, store: Store, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the run has stored stays, and the second attempt waits no longer than the first."""
    run(15, "build-7", {"a": b"1"}, killed=True)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(times, "clock", Clock(now=lambda: times.seconds, sleep=interrupt))
        assert call("store", "--undo", "15", "--on", "build-7", "--yes")[0] == 130
    assert keys(store) == ["a"]
    listed = call("store")[1]
    assert "being undone" in listed
    assert "handrail rollback" not in listed  # It would be refused.
    times.wait(HOUR)
    assert call("store", "--undo", "15", "--on", "build-7", "--yes")[0] == 0
    assert keys(store) == []


def test_a_dry_run_says_what_stays_and_changes_nothing(run: Run, call: Call, store: Store) -> None:
    run(15, "build-7", {"a": b"1", "b": b"2"})
    run(8, "laptop-3", {"b": b"2"})
    code, out, _ = call("store", "--undo", "15", "--on", "build-7", "--dry-run")
    assert code == 0
    assert "  1 object deleted\n  1 stays: run 8 on laptop-3 relies on it\n" in out
    assert "relied on" in out
    assert keys(store) == ["a", "b"]
    assert "2 claims at store" in call("store")[1]


def test_without_a_terminal_it_needs_yes(run: Run, call: Call, store: Store) -> None:
    run(15, "build-7", {"a": b"1"})
    code, _, err = call("store", "--undo", "15", "--on", "build-7")
    assert code == 2
    assert "handrail claims store --undo 15 --on build-7 --yes" in err
    assert keys(store) == ["a"]


@pytest.mark.parametrize(
    ("answer", "code", "left"), [("y", 0, []), ("n", 130, ["a"]), ("", 130, ["a"])]
)
def test_on_a_terminal_it_asks(
    run: Run,
    call: Call,
    store: Store,
    times: Times,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    left: list[str],
) -> None:
    """The preview comes before the question; the end of the input means no."""
    run(15, "build-7", {"a": b"1"})
    times.wait(2 * HOUR)
    monkeypatch.setattr("handrail_storage.claims.command._is_terminal", bool)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer and f"{answer}\n"))
    found, _, err = call("store", "--undo", "15", "--on", "build-7")
    assert (found, keys(store)) == (code, left)
    assert "1 object deleted" in err.partition("Undo it?")[0]


def test_another_run_at_work_refuses_the_undo(run: Run, call: Call, times: Times) -> None:
    """The message names the other run; the claim is as it was."""
    run(15, "build-7", {"a": b"1"})
    times.wait(2 * HOUR)
    run(8, "laptop-3", {"a": b"1"}, killed=True)
    code, _, err = call("store", "--undo", "15", "--on", "build-7", "--yes")
    assert code == 3
    assert "run 8 on laptop-3" in err


def test_a_pruned_run_cannot_be_undone(run: Run, call: Call, store: Store, times: Times) -> None:
    claim = run(15, "build-7", {"a": b"1"})
    Claims(store, Claimant(run=claim.run), clock=times.clock).prune()
    code, _, err = call("store", "--undo", "15", "--on", "build-7", "--yes")
    assert code == 2
    assert "no run 15 on build-7 has a claim at store" in err
    assert keys(store) == ["a"]
    assert call("store")[1] == "0 claims at store\nwhat pruned runs rely on stays, too\n"


def test_a_sealed_run_cannot_be_undone(run: Run, call: Call, store: Store) -> None:
    """What it has replaced is discarded."""
    run(15, "build-7", {"a": b"1"}).seal()
    code, _, err = call("store", "--undo", "15", "--on", "build-7", "--yes")
    assert code == 5
    assert "run 15 on build-7 stays at store: what it has replaced is discarded" in err
    assert keys(store) == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("16 --on build-7", "no run 16 on build-7 has a claim at store"),
        ("15 --on build-8", "no run 15 on build-8 has a claim at store"),
        ("15", "each journal has its own run 15, so it takes the machine, too"),
        ("01a2", "01a2 may be any of 2 runs"),
        ("", "no run  has a claim at store"),
    ],
)
def test_a_run_that_is_not_meant_clearly_is_an_error(
    run: Run, call: Call, text: str, message: str
) -> None:
    run(15, "build-7", {"a": b"1"})
    run(15, "laptop-3", {"a": b"1"})
    code, _, err = call("store", "--undo", *(text.split() or [""]), "--yes")
    assert code == 2
    assert message in err


def test_a_part_of_an_id_is_enough(run: Run, call: Call, store: Store, times: Times) -> None:
    run(15, "build-7", {"a": b"1"})
    times.wait(2 * HOUR)
    assert call("store", "--undo", "15-build", "--yes", "--json")[0] == 0
    assert keys(store) == []


@pytest.mark.parametrize("option", ["--on x", "--take-over", "--dry-run", "--yes"])
def test_options_of_the_undo_need_a_run(store: Store, call: Call, option: str) -> None:
    code, _, err = call("store", *option.split())
    assert code == 2
    assert f"{option.split(maxsplit=1)[0]} needs --undo RUN" in err


def test_a_journal_on_this_machine_undoes_more(
    run: Run, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalogue is in no claim, so the journal is the better way while it is there."""
    (tmp_path / "runs.db").touch()
    monkeypatch.setattr("platform.node", lambda: "build-7")
    run(15, "build-7", {"a": b"1"}, journal=str(tmp_path / "runs.db"))
    _, out, _ = call("store", "--undo", "15-", "--dry-run")
    assert "its journal is here, which undoes more:  handrail rollback 15 --journal" in out


def test_json_of_an_undo_has_the_counts(run: Run, call: Call, times: Times) -> None:
    run(15, "build-7", {"a": b"1", "b": b"2"})
    run(8, "laptop-3", {"b": b"2"})
    times.wait(2 * HOUR)
    document: dict[str, Any] = json.loads(
        call("store", "--undo", "15", "--on", "build-7", "--yes", "--json")[1]
    )
    assert (document["deleted"], document["restored"], document["foreign"]) == (1, 0, 0)
    assert document["stays"] == [
        {"run": "01a2-8-laptop-3", "name": "run 8 on laptop-3", "objects": 1}
    ]


def test_an_undo_at_an_object_storage(
    moto: Any, times: Times, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is probed before, so that its conditions are used; nothing is left of all."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    target = f"s3://{moto.bucket()}/photos"
    store = open_store(target)
    store.probe(".handrail-probe-0198-run", "01a2/probe")
    run = runs_at(store, times)
    run(15, "build-7", {"a": b"1", "b": b"2"})
    run(8, "laptop-3", {"b": b"2"})
    times.wait(2 * HOUR)
    assert "2 claims at s3://" in call(target)[1]
    for name in ("15 --on build-7", "8 --on laptop-3"):
        assert call(target, "--undo", *name.split(), "--yes")[0] == 0
    assert keys(store) == []
    assert list(store.small_files.names("claims/")) == []
