"""What the tables of `nox -s bench` rest on: turns, ratios of one round, failures that are rows."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).parents[3] / "benchmarks" / "peers"
sys.path.insert(0, str(PEERS))

import cases  # noqa: E402
import measuring  # noqa: E402
import picture  # noqa: E402
import run  # noqa: E402
import summary  # noqa: E402
import tables  # noqa: E402

sys.path.remove(str(PEERS))

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


@dataclass(frozen=True)
class Contender:
    label: str
    every: int = 1


def took(clock: float) -> dict[str, Any]:
    return {"clock": clock, "cpu": clock, "version": "1"}


def row(label: str, *measures: dict[str, Any] | None, steps: int = 1) -> dict[str, Any]:
    return {
        "label": label,
        "steps": steps,
        "floor": "floor",
        "ours": "ours",
        "remark": "",
        "measures": list(measures),
    }


def case_of(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"name": "some", "title": "Some work", "unit": "step", "rows": list(rows)}


def call(tmp_path: Path, code: str, limit: float = 60) -> tuple[dict[str, Any], str]:
    return measuring.run([sys.executable, "-c", code], tmp_path, limit, {})


def test_all_take_turns_and_each_round_begins_with_another() -> None:
    asked: list[str] = []

    def measure(contender: Contender) -> dict[str, Any]:
        asked.append(contender.label)
        return took(1)

    measuring.in_turns([Contender("a"), Contender("b"), Contender("c")], 3, measure)
    assert "".join(asked) == "abcbcacab"


def test_whoever_sits_out_a_round_leaves_its_place_in_it_empty() -> None:
    found = measuring.in_turns([Contender("a"), Contender("slow", 2)], 3, lambda _: took(1))
    assert found == {"a": [took(1)] * 3, "slow": [took(1), None, took(1)]}


def test_whoever_fails_twice_is_not_asked_again() -> None:
    found = measuring.in_turns([Contender("a")], 4, lambda _: {"failed": "no"})
    assert found == {"a": [{"failed": "no"}, {"failed": "no"}, None, None]}


def test_a_ratio_is_of_what_was_measured_in_the_same_round() -> None:
    floor = row("floor", took(1), took(10), took(100))
    peer = row("peer", took(2), took(40), took(300))
    (_, found) = summary.rows(case_of(floor, peer))
    assert found.x_floor == 3  # Of 2, 4 and 3; the medians of both alone would give 4.


def test_a_ratio_leaves_out_rounds_in_which_one_of_both_was_not_measured() -> None:
    floor = row("floor", took(1), {"failed": "no"}, took(1))
    peer = row("peer", None, took(50), took(7))
    (_, found) = summary.rows(case_of(floor, peer))
    assert found.x_floor == 7


def test_a_ratio_is_of_one_step_however_many_each_has() -> None:
    floor, peer = row("floor", took(1), steps=1000), row("peer", took(1), steps=100)
    (_, found) = summary.rows(case_of(floor, peer))
    assert found.x_floor == pytest.approx(10)


def test_a_contender_that_failed_once_says_so_beside_its_figures() -> None:
    (found,) = summary.rows(case_of(row("peer", took(1), {"failed": "no disk"}, took(3))))
    assert found.each == 2e6
    assert found.rounds == 2
    assert found.remark == "failed in 1 of 3: no disk"


def test_a_contender_that_only_fails_is_a_row_without_figures() -> None:
    failing = case_of(row("floor", took(1)), row("peer", {"failed": "no disk"}))
    line = tables.printed(failing).splitlines()[-1]
    assert " ".join(line.split()) == "peer - - - - - - - failed in 1 of 1: no disk"


def test_a_peer_without_an_environment_is_a_row_that_says_why() -> None:
    class Bench:
        def measure(self, case: cases.Case, contender: cases.Contender) -> dict[str, Any]:
            return took(1)

    case = cases.Case(
        name="some",
        title="Some work",
        work="some",
        contenders=(
            cases.Contender(label="ours", peer="handrail"),
            cases.Contender(label="peer", peer="dbos"),
        ),
    )
    bench: Any = Bench()
    found = run.measured(case, bench, {"dbos": "does not install: no network"}, 2)
    assert found["rows"][1]["measures"] == [None, None]
    assert "does not install: no network" in tables.printed(found)


def test_a_process_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    found, _ = call(tmp_path, "raise SystemExit('first\\nno such thing\\n')")
    assert found == {"failed": "no such thing"}


def test_a_process_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    code = """
import pathlib, subprocess, sys, time
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pid").write_text(str(started.pid))
time.sleep(600)
"""
    found, _ = call(tmp_path, code, limit=2)
    assert found == {"failed": "not done after 2 s"}
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_a_process_leaves_behind_neither_holds_the_runner_up_nor_stays(
    tmp_path: Path,
) -> None:
    code = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
"""
    found, said = call(tmp_path, code)
    assert found["clock"] > 0
    assert gone(int(said))


def gone(pid: int) -> bool:
    """Return whether the process has ended; init may not have collected it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status").read_text()
    pending = next(line for line in status.splitlines() if line.startswith("ShdPnd:"))
    killed = int(pending.split()[1], 16) >> (signal.SIGKILL - 1) & 1
    return bool(killed) or "State:\tZ" in status or "State:\tX" in status


def test_nothing_of_the_environment_reaches_a_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    _, said = call(tmp_path, "import os; print(sorted(os.environ))")
    assert "ACME_TOKEN" not in said
    assert "PYTHONPATH" not in said


@pytest.mark.parametrize("printed", ["", "Traceback", '{"clock": 1}', "[]", '{"clock": "soon"}'])
def test_a_contender_that_prints_no_figures_has_failed(printed: str) -> None:
    assert "printed no figures" in measuring.told(printed)["failed"]


def test_each_contender_is_held_against_one_of_its_own_case() -> None:
    for case in cases.CASES:
        labels = [each.label for each in case.contenders]
        assert len(set(labels)) == len(labels)
        for each in case.contenders:
            assert each.remark or each.floor in labels
            assert each.remark or each.ours in labels


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "-"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (99.96, "100"),
        (1e-5, "< 0.001"),
        (12345.6, "12 300"),
    ],
)
def test_a_number_has_three_digits_that_count(value: float | None, written: str) -> None:
    assert tables.number(value) == written


def test_a_run_replaces_only_what_stands_between_the_markers_of_its_tables() -> None:
    text = """before
<!-- bench: some -->
old
<!-- bench end -->
<!-- bench: other -->
kept
<!-- bench end -->
"""
    assert picture.written(text, "some", "new\n") == text.replace("old", "new")
    assert picture.written(text, "third", "new\n") == text


def test_a_table_for_a_page_says_what_failed_and_what_one_millisecond_becomes() -> None:
    case = case_of(row("peer", took(0.5), {"failed": "no disk"}, steps=1000))
    columns = ("us a step", tables.WITH_WORK)
    assert tables.markdown(case, columns).splitlines() == [
        "| Some work | us a step | 1 ms of work takes |",
        "|---|---|---|",
        "| peer (failed in 1 of 2: no disk) | 500 | 1.500 ms |",
    ]
