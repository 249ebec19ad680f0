"""`run --over`: every point of the grid is a run of its own, and the sweep is one, too."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from inline_executor import Log
from recorded_runs import Call
from sweeping import children, models, numbers

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FOUR = ("--over", "epochs=10,20", "--over", "hyper.rate=0.1,0.2")
TRAIN = ("run", "flows.py:TrainAction")


def test_every_point_is_a_run_of_its_own(call: Call, folder: Path, log: Log) -> None:
    ran = call(*TRAIN, *FOUR)
    assert ran.code == 0, ran.err
    assert ran.lines[0] == "4 of 4 runs completed"
    assert "run 1 · train · sweep of 4 runs · plan " in ran.err
    assert models(folder) == ["10-0.1", "10-0.2", "20-0.1", "20-0.2"]
    assert [len(each.items) for each in log.submitted] == [1] * 4
    assert children(call) == ["completed"] * 4
    shown = call("show", "4", "--json").document["run"]
    assert (shown["id"], shown["action"]) == (4, "flows.py:TrainAction")
    assert shown["params"]["values"]["epochs"] == 20


def test_only_the_sweep_is_listed_with_how_many_runs_are_done(call: Call) -> None:
    call(*TRAIN, *FOUR)
    call(*TRAIN)
    [plain, sweep] = call("runs", "--json").document["runs"]
    assert (plain["id"], sweep["id"], sweep["parts"]) == (6, 1, {"completed": 4})
    assert "parts" not in plain
    assert "completed, 4 runs " in call("runs").out
    assert call("show", "--json").document["run"]["id"] == 6
    every = call("runs", "--all", "--json").document["runs"]
    assert [(run["id"], run["part_of"]) for run in every][:2] == [(6, None), (5, 1)]
    assert "completed, part of 1" in call("runs", "--of", "1").out


def test_the_parts_of_a_run_that_is_not_there_are_an_error(call: Call) -> None:
    call(*TRAIN)
    assert call("runs", "--of", "1").code == 0
    assert call("runs", "--of", "9").code == 2


def test_runs_are_compared(call: Call) -> None:
    call(*TRAIN, *FOUR)
    shown = call("show", "1", "--json").document["sweep"]
    assert shown["over"] == {"epochs": [10, 20], "hyper.rate": [0.1, 0.2]}
    assert (shown["metric"], shown["best"]) == ("accuracy", 5)
    first = shown["runs"][0]
    assert first["point"] == {"epochs": 10, "hyper.rate": 0.1}
    assert first["metrics"] == {"accuracy": 0.01, "rows": 3, "loss": 0.99}
    lines = call("show", "1").lines
    [best] = [line for line in lines if "best accuracy" in line]
    assert best.split()[:3] == ["5", "20", "0.2"]
    by_loss = call("show", "1", "--sort", "loss").lines
    listed = [line.split()[0] for line in by_loss if "completed  " in line]
    assert listed == ["5", "3", "4", "2"]
    assert any("best loss" in line and line.split()[0] == "5" for line in by_loss)
    most = call("show", "1", "--sort=+loss", "--json").document["sweep"]
    assert most["best"] == 2
    for words in (("--sort", "acuracy"), ("--best", "max:acuracy")):
        wrong = call("show", "1", *words)
        assert (wrong.code, "did you mean accuracy?" in wrong.err) == (2, True)
    rows = list(csv.DictReader(call("show", "1", "--csv").lines))
    assert [(row["run"], row["hyper.rate"], row["accuracy"]) for row in rows][1] == (
        *("3", "0.2", "0.02"),
    )


HUNDRED = f"epochs={list(range(1, 101))}"


@pytest.mark.parametrize("option", [["--csv"], ["--sort", "loss"]])
def test_options_about_one_sweep_take_one(call: Call, option: list[str]) -> None:
    call(*TRAIN, "--over", "epochs=10,20")
    answer = call("show", "1", "2", *option)
    assert answer.code == 2
    assert f"{option[0]} takes one run" in answer.err


@pytest.mark.parametrize(
    ("words", "best"),
    [
        (["--sort", "rows"], None),  # Nobody has said if more rows are better.
        (["--best", "min:accuracy"], 2),
        (["--best", "max:loss", "--sort", "accuracy"], 2),
        (["--sort", "loss"], 5),
    ],
)
def test_the_best_run_is_that_of_a_metric_with_a_direction(
    call: Call, words: list[str], best: int | None
) -> None:
    call(*TRAIN, *FOUR)
    assert call("show", "1", *words, "--json").document["sweep"]["best"] == best


def test_a_best_without_a_direction_is_refused(call: Call) -> None:
    call(*TRAIN, *FOUR)
    assert call("show", "1", "--best", "accuracy").code == 2


@pytest.mark.parametrize("columns", ["80", "60", "120"])
def test_no_line_is_wider_than_the_terminal(
    call: Call, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    call(*TRAIN, *FOUR, "--over", "hyper.rate=2", "--max-failed", "1")
    call(*TRAIN, "--over", "epochs=10,20", "--over", "hyper.rate=0.1,2", "--max-failed", "9")
    for words in (("runs",), ("runs", "--of", "1"), ("show", "1"), ("show", "1", "--sort", "rows")):
        for line in call(*words).lines:
            assert len(line) <= int(columns), line


def test_a_dry_run_shows_the_points_and_the_plan_of_the_first(call: Call, folder: Path) -> None:
    dry = call(*TRAIN, *FOUR, "--dry-run")
    assert dry.code == 0
    assert dry.lines[:3] == [
        "train would be run 4 times",
        "  1  epochs=10  hyper.rate=0.1",
        "  2  epochs=10  hyper.rate=0.2",
    ]
    assert dry.lines[-1] == "train would run 2 steps; nothing was done"
    assert not (folder / ".handrail").exists()
    many = call(*TRAIN, "--over", HUNDRED, "--dry-run")
    assert "  ... and 81 more (--all)" in many.lines
    sample = call(*TRAIN, "--over", HUNDRED, "--sample", "3", "--dry-run", "--json")
    first = json.loads(sample.lines[0])
    assert (first["event"], first["runs"], len(first["points"])) == ("SweepPreview", 3, 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--over", "epochs=many,2"], "--over epochs: Input should be a valid integer"),
        (["--over", "epoch=1,2"], "--over epoch: unknown param; did you mean epochs?"),
        (["--over", "rate=1,2"], "did you mean hyper.rate?"),
        (["--over", "data=data.csv,missing.csv"], "--over data: does not exist"),
        (["--over", "epochs=1,2", "--epochs", "3"], "epochs has a value by --epochs"),
        (["--over", "token=a,b"], "--over token: is a secret"),
        (["--over", "epochs=1,2", "--no-journal"], "--over needs a journal"),
        (["--over", "epochs=1,2", "--max-failed", "x"], "a share such as 2%"),
        (["--over", "epochs=1,2", "--sample-seed", "1"], "--sample-seed goes with --sample"),
        (["--sample", "3"], "--sample goes with --over"),
        (["--concurrency", "3"], "goes with --over; the param is set by -p concurrency=3"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    call: Call, folder: Path, words: list[str], told: str
) -> None:
    ran = call(*TRAIN, *words)
    assert ran.code == 2
    assert told in ran.err
    assert not (folder / "calls.txt").exists()
    assert not (folder / ".handrail").exists()


def test_a_param_named_like_an_option_of_run_keeps_its_p(call: Call) -> None:
    assert "--concurrency is taken" in call(*TRAIN, "--help").out
    call(*TRAIN, "-p", "concurrency=3", "--over", "epochs=1,2")
    assert call("show", "3", "--json").document["run"]["params"]["values"]["concurrency"] == 3


def test_a_chain_is_swept_by_the_params_of_its_actions(call: Call, folder: Path) -> None:
    ran = call("run", "flows.py:both", "--over", "second.epochs=7,8", "-p", "first.epochs=1")
    assert ran.code == 0, ran.err
    assert models(folder) == ["1-0.1", "7-0.1", "8-0.1"]
    [first, _] = call("show", "1", "--json").document["sweep"]["runs"]
    assert first["metrics"]["second.accuracy"] == pytest.approx(0.007)


def test_secrets_come_from_variables_in_each_run(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", "hush-hush")
    ran = call(*TRAIN, "--token-env", "ACME_TOKEN", "--over", "epochs=1,2")
    assert ran.code == 0, ran.err
    assert b"hush-hush" not in (folder / ".handrail" / "runs.db").read_bytes()
    [_, last] = numbers(call)
    assert call("show", last, "--json").document["run"]["params"]["secrets"] == {
        "token": "ACME_TOKEN"
    }


def test_the_lock_holds_for_every_run(call: Call, folder: Path) -> None:
    assert call("lock", "flows.py:TrainAction").code == 0
    assert "(locked)" in call(*TRAIN, *FOUR).err
