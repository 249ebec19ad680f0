"""`handrail show --step` shows what a step has said and attached, and writes that to files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from recorded_runs import Call

from handrail.errors import NotFoundError
from handrail.sqlite import SqliteJournal

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FITTING = """
from handrail import action, step
from handrail.attachments import Markdown, Picture, Plot, Table

PNG = b"\\x89PNG\\r\\n\\x1a\\n" + b"rest"

@step
def fit(context):
    for number in range(1300):
        context.log("epoch", {"summary": f"number {number + 1}"})
    context.log("odd", {"a": 1, "b": "\\x1b[31m"}, "/data/x.csv")
    context.set_metrics({"loss": 0.5, "state": "warm"})
    context.set_metrics({"loss": 1 / 3})
    context.set_metrics({"loss": 0.25}, "validation")
    context.attach("curves", Plot("line", {"loss": [1, 2]}))
    context.attach("left out", Table(["file", "why"], [["a, b", None], ["c\\t\\u2028d", 3]]))
    context.attach("notes", Markdown("# All"))
    context.attach("matrix", Picture(PNG))

@step
def stop(context):
    context.set_progress(1_500_000, 2_000_000, "bytes")
    raise OSError("no")

fitting = action("fitting", [fit])

class FittingAction(fitting.action_class):
    def result(self, context):
        return {"accuracy": 0.9, "model": "digits@3", "folds": [0.8, 1], "object": object()}

class OddAction(FittingAction):
    def result(self, context):
        return {"summary": "done", (1, 2): 3, "rows": "x" * 200_000}

stopping = action("stopping", [stop])
"""


@pytest.fixture
def fitted(call: Call, folder: Path) -> Call:
    (folder / "fitting.py").write_text(FITTING)
    assert call("run", "fitting.py:FittingAction", "-q").code == 0
    return call


def test_a_step_is_shown_with_what_it_said(fitted: Call) -> None:
    """What was not kept is told where it was, and nothing controls the terminal."""
    found = fitted("show", "1", "--step", "fit")
    text = [line for line in found.lines if " epoch  number " not in line]
    assert text[text.index("metrics") :][:9] == [
        "metrics",
        "  loss             0.333333  (the last of 2)",
        "  state            warm",
        "  validation/loss  0.25",
        "attached",
        "  curves: line plot of loss",
        "  left out: table, 2 x 2",
        "  notes: text, 1 line",
        "  matrix: image/png, 12 B",
    ]
    assert "log: 1301 lines, of which 1,000 are kept" in text
    assert "  ... 301 lines that are not kept" in text
    last = text[-1]
    assert last.endswith('odd  {"a": 1, "b": "\\u001b[31m"} (/data/x.csv)')


def test_a_run_tells_its_result_and_what_its_steps_have_attached(fitted: Call) -> None:
    """And the command that writes one of these to a file."""
    lines = fitted("show", "1").lines
    [at] = [place for place, line in enumerate(lines) if line.startswith("  result")]
    assert lines[at : at + 4] == [
        "  result  accuracy=0.9 model=digits@3 folds=[0.8, 1]",
        "  attached to fit: curves (line plot of loss), left out (table, 2 x 2), notes (text, "
        "1 line), matrix (image/png, 12 B)",
        "  save    handrail show 1 --attachment NAME -o FILE",
        "  undo    handrail rollback 1    has nothing to undo",
    ]
    result = fitted("show", "1", "--json").document["run"]["result"]
    assert result == {"accuracy": 0.9, "model": "digits@3", "folds": [0.8, 1]}


def test_a_result_that_is_not_valid_any_more_is_left_out(fitted: Call, folder: Path) -> None:
    """As anything that only people look at."""
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as database, database:
        database.execute("UPDATE kept SET text = '[' WHERE kind = 'result'")
    shown = fitted("show", "1")
    assert (shown.code, "  result" in shown.out) == (0, False)


def test_programs_get_all_of_a_step_and_the_rest_in_short(fitted: Call) -> None:
    whole = fitted("show", "1", "--step", "fit", "--json").document["step"]
    assert len(whole["log"]) == 1_000
    assert [each["type"] for each in whole["attachments"]] == [
        "plot",
        "table",
        "markdown",
        "picture",
    ]
    assert whole["attachments"][0]["value"]["series"] == {"loss": [[0, 1], [1, 2]]}
    assert [value for _, _, value in whole["metrics"]["loss"]["points"]] == [0.5, 1 / 3]
    (short,) = fitted("show", "1", "--json").document["steps"]
    assert short["log_lines"] == 1_000
    assert "value" not in short["attachments"][0]
    assert [value for _, _, value in short["metrics"]["loss"]["points"]] == [1 / 3]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("left out", 'file,why\n"a, b",\nc\t\u2028d,3\n'.encode()),
        ("notes", b"# All"),
        ("matrix", b"\x89PNG\r\n\x1a\nrest"),
    ],
)
def test_an_attachment_is_written_to_a_file(
    fitted: Call, folder: Path, name: str, content: bytes
) -> None:
    written = fitted("show", "1", "--step", "fit", "--attachment", name, "-o", "out")
    assert (written.code, written.out, written.err) == (0, "", "wrote out\n")
    assert (folder / "out").read_bytes() == content


def test_of_a_result_what_can_be_kept_is_shown(fitted: Call) -> None:
    """The run ends well, whatever its action returns."""
    assert fitted("run", "fitting.py:OddAction", "-q").code == 0
    assert "  result  done" in fitted("show", "2").lines


def test_a_run_that_is_deleted_at_its_end_has_ended_well(
    fitted: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result finds no run any more, which is no failure of the run."""

    def deleted(_journal: object, number: int, _text: str) -> None:
        raise NotFoundError(f"there is no run {number}")

    monkeypatch.setattr(SqliteJournal, "keep_result", deleted)
    assert fitted("run", "fitting.py:FittingAction", "-q").code == 0


def test_a_program_gets_every_character_of_an_attachment(fitted: Call) -> None:
    found = fitted("show", "1", "--attachment", "left out")
    assert found.out == 'file,why\n"a, b",\nc\t\u2028d,3\n'


def test_a_plot_is_json_and_goes_to_standard_output(fitted: Call) -> None:
    found = fitted("show", "1", "--attachment", "curves")
    assert json.loads(found.out)["series"] == {"loss": [[0, 1], [1, 2]]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--step", "fit", "--attachment", "curve", "-o", "x"), "did you mean curves?"),
        (("--attachment", "nothing", "-o", "x"), "nothing is attached as 'nothing'; there is "),
        (("--step", "fit", "-o", "x"), "-o goes with --attachment"),
        (("--attachment", "notes", "-o", "no/x"), "no/x cannot be written"),
        (("--attachment", "notes", "--json"), "--attachment writes what was attached"),
    ],
)
def test_what_cannot_be_written_is_told(
    fitted: Call, options: tuple[str, ...], message: str
) -> None:
    found = fitted("show", "1", *options)
    assert found.code == 2
    assert message in found.out + found.err


def test_how_far_a_step_came_that_has_failed(fitted: Call) -> None:
    fitted("run", "fitting.py:stopping", "-q")
    lines = fitted("show", "2", "--step", "stop").lines
    assert any(line.startswith("it had come to 1.5 MB/2 MB at ") for line in lines)


def test_damage_of_what_was_said_is_told_and_is_no_damage_of_the_run(
    fitted: Call, folder: Path
) -> None:
    """It is only missing where it would be shown."""
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as database:
        database.execute("UPDATE kept SET text = 'x' WHERE name = 'curves'")
        database.commit()
    why = "the attachment 'curves' of step 'fit' differs from its checksum"
    found = fitted("show", "1", "--step", "fit")
    assert found.code == 0
    assert not [line for line in found.lines if line.startswith("  curves")]
    assert found.lines[-1] == f"not shown: run 1 is damaged in the journal: {why}"
    checked = fitted("doctor", "--journal")
    assert checked.code == 0
    assert f"○ run 1 is damaged in the journal: {why}; it is only shown" in checked.out
    document = fitted("doctor", "--journal", "--json").document
    assert (document["damaged"], len(document["unseen"])) == ([], 1)
    assert fitted("rollback", "1", "--yes").code == 0


def test_lines_are_counted_over_all_attempts(call: Call, folder: Path) -> None:
    (folder / "trying.py").write_text(
        "from handrail import Run, StepWrapper, Undo, action, step\n"
        "\n"
        "class Again(StepWrapper):\n"
        "    def around(self, context):\n"
        "        yield Run()\n"
        "        yield Undo()\n"
        "        return (yield Run())\n"
        "\n"
        "@step\n"
        "def work(context):\n"
        "    context.log('begun', {})\n"
        "    context.log('over', {})\n"
        "\n"
        "trying = action('trying', [Again(work)])\n"
    )
    assert call("run", "trying.py:trying", "-q").code == 0
    lines = call("show", "1", "--step", "work").lines
    log = lines[lines.index("log: 4 lines") :]
    said = [line if line.startswith("  attempt") else line.split()[1] for line in log[1:]]
    assert said == ["begun", "over", "  attempt 2", "begun", "over"]
