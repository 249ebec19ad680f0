"""All output is laid out from 20 columns on, and tells all reasons and counts."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recorded_runs import planned, started

from handrail.builtin.cli.app import HelpText
from handrail.builtin.cli.view.table import counts, names, reasons, table, versions
from handrail.builtin.cli.view.text import columns, folded

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


@pytest.mark.parametrize("width", [20, 40, 80, 100, 140])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["steps", "--all"], ["handrail.toml:2", "none imported"]),
        (["packs"], ["handrail.toml:2", "installed", "required"]),
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
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else value,
)
def test_every_listing_fits(crowded, width, words, told):
    done = crowded(*words, COLUMNS=str(width))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    wide = [line for line in lines if columns(line) > width and "handrail plan" not in line]
    assert not wide
    shown = "".join(done.stdout.split())  # A word that is longer than a line is folded.
    assert not [word for word in " ".join(told).split() if word not in shown]


@pytest.mark.parametrize("indent", [0, 39, 45, 200])
@pytest.mark.parametrize("word", ["~~~^", "a/" * 60, "資料" * 30])
def test_what_is_indented_beyond_the_terminal_is_broken(monkeypatch, indent, word):
    """Such as the marks below a line of code in a traceback."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = folded(" " * indent + f"{word} · {word} {word}")
    assert max(map(columns, lines)) <= 40
    assert "".join("".join(lines).split()).replace("·", "") == word * 3


NARROW_OR_WIDE = range(20, 201)
LONG = "資料を送る_and_" * 7
TEXTS = (
    *("s", "long " * 30, "/a/very/long/path" * 8, LONG, f"{LONG} " * 3, "e\u0301" * 90),
    *("run 3 · upload · interrupted 3 s ago · ada on host-7 · s3://bucket/prefix " * 2,),
    *("undo it:  handrail rollback 3 --take-over --journal /srv/projects/of/the/team/runs.db",),
)
KINDS = (names, counts, reasons, versions, partial(names, cut="begin"))


def _letters(*texts):
    """Return all letters of texts, without what stands between facts only on one line."""
    return "".join("".join(texts).replace("·", "").split())


@given(
    width=st.sampled_from(NARROW_OR_WIDE),
    indent=st.integers(0, 200),
    name=st.sampled_from(("", "↶ ", LONG)),
)
@example(width=40, indent=45, name="")
def test_every_line_fits_every_terminal_whatever_stands_before_it(width, indent, name):
    """Also where it stands beside a name, or below one, that is wider than the terminal."""
    head = " " * indent + name
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        for text in TEXTS:
            lines = folded(text, head=head)
            assert _letters(*lines) == _letters(head, text)
            assert not [line for line in lines if columns(line) > width and "handrail " not in line]


@given(width=st.sampled_from(NARROW_OR_WIDE), kinds=st.permutations(KINDS), many=st.integers(1, 6))
def test_every_table_fits_every_terminal(width, kinds, many):
    head = [kind(f"HEADING_{place}") for place, kind in enumerate(kinds[:many])]
    rows = ["below " * 20, [TEXTS[place] for place in range(many)], ["1.0"] * many]
    for lines in table(head, rows, width=width):
        assert max(map(columns, lines)) <= width


CROWD = f"""
from handrail import BaseStep, StepResult, action, parallel, step

class Made(BaseStep):
    progress_weight = 1.0
    def __init__(self, name):
        self.name = name
    def execute(self, context):
        context.log("told", {{"what": "{LONG}"}})
        context.set_progress(1, 3, "{LONG}")
        context.record_rollback("file", "{LONG}")
        if self.name == "fails":
            raise ValueError("{LONG} /srv/資料/{"deep/" * 20} and so on")
        return StepResult()
    def rollback(self, context, result):
        if self.name == "stuck":
            raise OSError("{LONG}")
    def preview_rollback(self, context, result):
        yield "deletes {"/srv/資料を送る" * 9} unless another run relies on it by then"
        yield "and nothing else"

kept = action("kept_{LONG}", [Made("{LONG}"), parallel("side_by_side", [[Made("a")], [Made("b")]])])
fails = action("fails_{LONG}", [Made("{LONG}"), Made("stuck"), Made("fails")])
"""
KEPT, FAILS = ("crowd.py:kept",), ("crowd.py:fails",)
DRAWN = (
    *(
        (("plan", *KEPT), 0),
        (("plan", *KEPT, "--explain", LONG), 0),
        (("plan", "crowd.py:fails"), 0),
    ),
    *((("plan", "crowd.py:kpet"), 2), (("run", *FAILS), 5), (("run", *KEPT), 0), (("rnu",), 2)),
    *((("run", *KEPT, "--dry-run"), 0), (("runs",), 0)),
    *((("show", number), 0) for number in "123"),
    *((("show", "1", "2"), 0), (("rollback", "1", "--dry-run"), 0), (("rollback", "1"), 2)),
    *((("rollback", "2"), 5), (("resume", "2"), 5), (("show", "99"), 2), (("doctor",), 0)),
    *(((name,), 0) for name in ("config", "packs", "actions", "steps")),
)


@pytest.fixture
def crowd(call, folder):
    """Return a project of long names, with a run that is done, a stuck one and a kept one."""
    (folder / "crowd.py").write_text(CROWD)
    assert call("run", "crowd.py:kept").code == 0
    assert call("run", "crowd.py:fails").code == 5
    assert call("run", "crowd.py:fails", "--on-failure", "keep").code == 6
    return call


@pytest.mark.parametrize("width", NARROW_OR_WIDE)
def test_every_command_draws_at_every_width(crowd, monkeypatch, width):
    """None ends with an error of its own; only commands, which are copied, may be wider."""
    monkeypatch.setenv("COLUMNS", str(width))
    wrong = []
    for words, code in DRAWN:
        seen = crowd(*words)
        if seen.code != code or "own errors" in seen.err:
            wrong.append((words, seen.code, seen.err))
        lines = [*seen.lines, *seen.err.splitlines()]
        wide = [line for line in lines if columns(line) > width and "handrail" not in line]
        wrong += [(words, line) for line in wide]
    assert not wrong


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
