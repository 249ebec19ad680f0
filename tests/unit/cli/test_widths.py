"""Every listing fits the terminal, from 40 columns on, and tells all reasons and counts."""

from __future__ import annotations

import re

import pytest
from recorded_runs import planned, started

from handrail.cli.help import HelpText
from handrail.cli.view.text import columns, folded

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

STEP = "資料を送る_and_every_other_thing_that_there_is"
ACTION = """
from handrail import action, step

@step(name={name!r})
def send(context):
    '''Send it, and everything else, with a description that is longer than most terminals are.'''

@step(weight=3.0)
def close(context): ...
close.always_run = True

ship = action("ship_all_of_it_with_a_long_name", [send, close])
"""
HOOKS = """
from handrail import StepWrapper, hookimpl, step

@step(name="scan_each_file_for_what_nobody_wants_to_have", effects=False)
def scan(context): ...
scan.final = True

class RepeatedlyTimingStep(StepWrapper): ...

@hookimpl
def setup_steps(action, registry):
    registry.insert_before({name!r}, scan)
    for _ in range(12):
        registry.wrap({name!r}, RepeatedlyTimingStep)
"""
SHIP, SCAN = "handrail-acme-shipping-by-sea", "acme-scan-of-all-and-everything"


@pytest.fixture
def crowded(yard):
    """Return an environment in which all names are long, and a pack is off."""
    name = "ship_all_of_it_with_a_long_name"
    module = SHIP.replace("-", "_")
    points = {"actions": {name: f"{module}:ship"}, "steps": {STEP: f"{module}:send"}}
    yard.plant(SHIP, "2026.11.27", ACTION.format(name=STEP), **points)
    yard.plant(SCAN, "1.4.0", HOOKS.format(name=STEP), packs={"scan": SCAN.replace("-", "_")})
    off = {"packs": {"audit": "acme_auditing"}, "steps": {"audit": "acme_auditing:audit"}}
    yard.plant("acme-auditing", "2.0.1", "", **off)
    (yard.project / "handrail.toml").write_text(
        f'[packs]\ndisable = ["acme-auditing"]\n[required]\npacks = ["{SCAN}"]\n'
    )
    return yard


@pytest.mark.parametrize("width", [40, 80, 100, 140])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["steps", "--all"], ["handrail.toml:2", "none imported"]),
        (["packs"], ["handrail.toml:2", "installed", "required"]),
        (["packs", "--hooks"], ["handrail.toml:2", "setup_steps"]),
        (["actions"], ["run one"]),
        (["config"], ["packs.disable", "handrail.toml:2", "acme-auditing"]),
        (
            ["plan", "ship_all_of_it_with_a_long_name"],
            ["final, only reads", "always runs", "outermost first"],
        ),
        (
            ["plan", "ship_all_of_it_with_a_long_name", "--explain", STEP],
            ["wrapped by repeatedly_timing", "step 2 of 3"],
        ),
        (
            ["plan", "ship_all_of_it_with_a_long_name", "--pack", SCAN],
            ["inserted before", "13 edits", "wrapped by repeatedly_timing"],
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else value,
)
def test_every_listing_fits(crowded, width, words, told):
    done = crowded(*words, COLUMNS=str(width))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    wide = [line for line in lines if columns(line) > width and "handrail plan" not in line]
    assert not wide
    words_of_it = " ".join(told).split()
    assert not [word for word in words_of_it if word not in done.stdout]


@pytest.mark.parametrize("indent", [0, 39, 45, 200])
@pytest.mark.parametrize("word", ["~~~^", "a/" * 60, "資料" * 30])
def test_what_is_indented_beyond_the_terminal_is_broken(monkeypatch, indent, word):
    """Such as the marks below a line of code in a traceback."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = folded(" " * indent + f"{word} · {word} {word}")
    assert max(map(columns, lines)) <= 40
    assert "".join("".join(lines).split()).replace("·", "") == word * 3


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_runs_fit_and_keep_their_states_and_commands(call, folder, journal, monkeypatch, width):
    """A pipe has no width; what there is of a table there is as in a wide terminal."""
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    steps = [planned("send")]
    name = f"flows/of/the/team/that/ships_資料を送る/by_sea.py:{'ship_' * 9}"
    for project in ("/srv/projects/資料を送る/of/the/team", f"/home/ada/{'deep/' * 20}"):
        for outcome in ("rollback_incomplete", "failed", None):
            journal.add(steps, started("send"), outcome=outcome, action=name, project=project)
    lines = call("runs").lines
    assert max(map(columns, lines)) <= (width or 100)
    assert lines[0].split()[:2] == ["RUN", "STATE"]
    words = " ".join(lines).replace(",", " ").split()
    assert not {"rollback", "incomplete", "failed", "(kept)", "interrupted"} - set(words)
    told = " ".join(" ".join(lines).split())
    for words in ("handrail rollback 4", "handrail resume 5", "6 runs in .handrail/runs.db"):
        assert words in told


DEEP = """
from handrail import BaseStep, StepResult, action

class Send(BaseStep):
    name = "send_資料を送る"
    progress_weight = 0.5
    def execute(self, context):
        return StepResult(rollback_data={"a": 1})
    def rollback(self, context, result): ...
    def preview_rollback(self, context, result):
        yield "deletes " + "/srv/資料を送る" * 9 + " unless another run relies on it by then"
        yield "and nothing else"

deep = action("deep", [Send()])
"""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_preview_of_an_undo_fits(call, folder, monkeypatch, width):
    """What each step would undo stands beside its name, on as many lines as it takes."""
    (folder / "deep.py").write_text(DEEP)
    monkeypatch.setenv("COLUMNS", str(width))
    assert call("run", "deep.py:deep", "--quiet").code == 0
    lines = call("rollback", "1", "--dry-run").lines
    assert max(map(columns, lines)) <= width
    begin = columns(" ↶ send_資料を送る  ")
    assert {line[: begin - 5] for line in lines[2:]} == {" " * (begin - 5)}
    told = "".join("".join(lines).split())
    assert "/srv/資料を送る" * 9 + "unlessanotherrunreliesonitbythen" in told
    assert " " * begin + "and nothing else" in lines


def test_commands_after_a_run_stand_below_each_other_where_they_do_not_fit(
    call, folder, monkeypatch
):
    (folder / "deep.py").write_text(DEEP)
    monkeypatch.setenv("COLUMNS", "60")
    together = call("run", "deep.py:deep").lines[-1]
    assert together == "  see  handrail show 1     undo  handrail rollback 1"
    name = "some-journal-of-the-team.db"
    assert call("run", "deep.py:deep", "--journal", name).lines[-2:] == [
        f"  see     handrail show 1 --journal {name}",
        f"  undo    handrail rollback 1 --journal {name}",
    ]


@pytest.mark.parametrize("width", [60, 80])
def test_help_texts_fit(call, monkeypatch, width):
    """Also the tables in them, which click leaves as they are."""
    monkeypatch.setenv("COLUMNS", str(width))
    waiting, seen = [()], 0
    while waiting:
        words = waiting.pop()
        lines = call(*words, "--help").lines
        if not lines:
            continue  # It is of the testing kit, which need not be installed.
        assert max(map(columns, lines)) <= width, words
        seen += 1
        if len(words) < 2:
            listed = "\n".join(lines).partition("\nCommands")[2].partition("\nOptions any")[0]
            waiting += [(*words, name) for name in re.findall(r"^  (\w+)  ", listed, re.MULTILINE)]
    assert seen > 15


def test_a_table_in_a_help_text_keeps_its_columns():
    """A long text goes on beside its name, or below it where there is no room."""
    long = "  a/very/long/command --with x  as it is\n"
    text = HelpText(width=40)
    text.write(f"  short   a text that goes on and on and on\n{long}")
    assert text.getvalue().split("\n") == [
        "  short   a text that goes on and on and",
        "          on",
        "  a/very/long/command --with x  as it is",
        "",
    ]
    text = HelpText(width=36)
    text.write(long)
    assert text.getvalue() == "  a/very/long/command --with x\n      as it is\n"
