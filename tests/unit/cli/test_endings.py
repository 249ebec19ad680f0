"""What stands below a run: the commands that it proposes, and the causes of what went wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

MORE = """
from typing import Annotated
from pydantic import BaseModel, ByteSize, Field
from handrail import Argument, BaseAction, action, step
from handrail.errors import HandrailError

@step
def work(context):
    pass

class Proposing(BaseAction):
    def setup_steps(self, registry):
        registry.register(work)
    def result(self, context):
        return {"summary": "done", "next": {"check": "check it", "take back": "undo it"}}

class Odd(Proposing):
    def result(self, context):
        return {"next": ["no", "mapping"]}

class Exceptional(Proposing):
    def result(self, context):
        return {"summary": "done", "completed_with": "3 left\\nout"}

class Silent(Proposing):
    def result(self, context):
        return {"next": {}}

@step
def undoable(context):
    pass

@undoable.rollback
def undo(context, result):
    context.log("undone", {"summary": "3 things taken back"})

@step
def fail(context):
    try:
        raise OSError("the server said no\\n\\nDebug source:\\n  Client { secret: 1 }\\n" * 50)
    except OSError as error:
        raise HandrailError("it went wrong", ways_out=["try later"]) from error

@step
def fail_in_lines(context):
    try:
        raise OSError("first line\\n  second line\\n\\nthe rest " + "x" * 1000)
    except OSError as error:
        raise HandrailError("it went wrong") from error

failing = action("failing", [undoable, fail])
lines = action("lines", [undoable, fail_in_lines])

class Sizes(BaseModel):
    part: ByteSize = Field(ByteSize(8 << 20), description="Size of a part")
    most: ByteSize | None = None
    times: int = 2

sized = action("sized", [work], params=Sizes)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]
Env = dict[str, str]


@pytest.fixture(autouse=True)
def more(folder: Path) -> None:
    (folder / "more.py").write_text(MORE)


def test_what_to_do_next(handrail: Run) -> None:
    """The commands that a result proposes come last, each under what it is for."""
    done = handrail("run", "more.py:Proposing")
    assert done.stdout.splitlines()[0] == "done"
    assert done.stdout.splitlines()[2:] == [
        "  see     handrail show 1",
        "  check   check it",
        "  take back undo it",
        "  undo    handrail rollback 1",
    ]
    done = handrail("run", "more.py:Proposing", "--no-journal")
    assert done.stdout.splitlines()[2:] == ["  check   check it", "  take back undo it"]
    quiet = handrail("run", "more.py:Proposing", "-q", "--no-journal")
    assert quiet.stdout.splitlines()[2:] == done.stdout.splitlines()[2:]


def test_completed_with_something_left_out(handrail: Run) -> None:
    """It stands in the last line, on one line, and nowhere else."""
    done = handrail("run", "more.py:Exceptional", "-q", "--no-journal")
    assert done.returncode == 0
    summary, ended = done.stdout.splitlines()
    assert summary == "done"
    assert " completed with 3 left" in ended
    assert ended.endswith("1 of 1 step executed")


def test_next_as_json(handrail: Run) -> None:
    """In JSON they are part of the result."""
    done = handrail("run", "more.py:Proposing", "--json")
    result = json.loads(done.stdout.splitlines()[-1])["result"]
    assert result["next"] == {"check": "check it", "take back": "undo it"}


@pytest.mark.parametrize("name", ["Odd", "Silent"])
def test_nothing_to_do_next(handrail: Run, name: str) -> None:
    """A `next` of another form, or an empty one, shows nothing and harms nothing."""
    done = handrail("run", f"more.py:{name}", "--no-journal")
    assert done.returncode == 0
    [line] = done.stdout.splitlines()
    assert "completed in" in line


def test_not_after_a_dry_run(handrail: Run) -> None:
    """After a dry run there is nothing to check."""
    done = handrail("run", "more.py:Proposing", "--dry-run")
    assert "check it" not in done.stdout


def test_an_undo_says_what_it_did(handrail: Run) -> None:
    """The line of an undone step has what its rollback logged as `undone`."""
    done = handrail("run", "more.py:failing")
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if "↶" in line]
    assert line.startswith(" ↶ undoable")
    assert line.endswith("  3 things taken back")
    assert "· undone" not in done.stderr


def test_a_cause_is_one_line(handrail: Run) -> None:
    """Of a cause that dumps its state, what it says is shown; --debug shows the rest."""
    done = handrail("run", "more.py:failing")
    lines = done.stderr.splitlines()
    told = lines[next(n for n, line in enumerate(lines) if line.startswith("error:")) :]
    assert told[:4] == [
        "error: failing failed at fail, rolled back except fail",
        "  cause   it went wrong",
        "    cause   OSError: the server said no",
        "    try later",
    ]
    assert "Debug source" in handrail("run", "more.py:failing", "--debug").stderr


def test_a_cause_of_many_lines_is_one(handrail: Run) -> None:
    """Lines are joined, and what stands behind a blank line is left out."""
    done = handrail("run", "more.py:lines")
    assert "    cause   OSError: first line second line\n" in done.stderr
    assert "the rest" not in done.stderr


def test_sizes_in_the_help(handrail: Run) -> None:
    """A size in bytes is a SIZE, and its default has a unit."""
    shown = " ".join(handrail("run", "more.py:sized", "--help", COLUMNS="100").stdout.split())
    assert "--part SIZE Size of a part [default: 8.0MiB]" in shown
    assert "--times INTEGER" in shown


ENDLESS = """
import time
from pathlib import Path
from handrail import action, step

@step
def one(context):
    context.record_rollback("rows", 1)

@one.rollback
def unmake(context, result):
    print("undoing", flush=True)
    if not Path("open").exists():
        time.sleep(30)

@step
def long_story(context):
    raise ValueError("a reason\\n  that goes on, " + "and on, " * 200 + "to its end")

story = action("story", [long_story])
single = action("single", [one])
"""


def test_a_long_cause_is_in_the_record(handrail: Run, folder: Path) -> None:
    """It is cut where there is a record, which the next line leads to; else all of it is told."""
    (folder / "endless.py").write_text(ENDLESS)
    done = handrail("run", "endless.py:story")
    [cause] = [line for line in done.stderr.splitlines() if line.startswith("  cause ")]
    assert cause.startswith("  cause   ValueError: a reason that goes on, and on")
    assert len(cause) < 500
    assert "  full    handrail show 1 --traceback" in done.stderr
    assert "to its end" in handrail("show", "1", "--traceback").stdout
    assert "to its end" in handrail("run", "endless.py:story", "--no-journal").stderr


def test_an_undo_that_fails_says_where(handrail: Run) -> None:
    """And its traceback is kept in the run."""
    done = handrail("run", "flows.py:stuck", "in", "--fail")
    assert done.returncode == 5
    lines = done.stderr.splitlines()
    place = lines.index("  undo    Rollback of step 'bad_undo' failed: cannot undo")
    assert lines[place + 1].startswith("  at      flows.py:")
    assert lines[place + 1].endswith(" in fall")
    assert 'raise OSError("cannot undo")' in handrail("show", "--traceback").stdout
    assert 'raise OSError("cannot undo")' in handrail("rollback", "1", "--yes", "--debug").stderr


def test_a_rollback_that_is_stopped(handrail: Run, folder: Path, environment: Env) -> None:
    """It is told as that, not as a failure of the run, and names the command that goes on."""
    (folder / "endless.py").write_text(ENDLESS)
    handrail("run", "endless.py:single", "-q")
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", "rollback", "1", "--yes"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "undoing\n"
        process.send_signal(signal.SIGINT)
        told = []
        while "Ctrl-C again stops it" not in (line := process.stderr.readline()):
            told.append(line)
            assert line
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.7)  # Signals within half a second count as one.
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate()
    assert process.returncode == 130
    assert told[-1].endswith(" · undoes what was done\n")
    assert rest.splitlines() == [
        "stopping the undo, which leaves the rest to  handrail rollback 1",
        "the rollback of single was interrupted; the undo was stopped; not undone: one",
        "  full    handrail show 1",
        "  undo    handrail rollback 1",
    ]
    assert "given up by pid" in handrail("show").stdout
    (folder / "open").touch()
    assert handrail("rollback").returncode == 0


@pytest.mark.parametrize(
    ("name", "place"),
    [("fetches", "places.py:6 in fetches"), ("parses", "places.py:12 in deeper")],
)
def test_the_place_is_the_last_line_of_the_user(
    handrail: Run, folder: Path, name: str, place: str
) -> None:
    """Not that of the standard library, in which the error was raised."""
    (folder / "places.py").write_text(
        "import json, urllib.request\n"
        "from handrail import action, step\n"
        "\n"
        "@step\n"
        "def fetches(context):\n"
        "    urllib.request.urlopen('http://127.0.0.1:9/x')\n"
        "@step\n"
        "def parses(context):\n"
        "    deeper('{')\n"
        "\n"
        "def deeper(text):\n"
        "    return json.loads(text)\n"
        "fetching = action('fetching', [fetches])\n"
        "parsing = action('parsing', [parses])\n"
    )
    done = handrail("run", f"places.py:{name[:-2]}ing")
    assert f"  at      {place}\n" in done.stderr
