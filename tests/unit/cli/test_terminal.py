"""A run at a real terminal: the line that moves, and what steps write beside it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from terminals import AtTerminal, Screen

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

TALKING = """
import getpass, logging, multiprocessing, os, subprocess, sys, termios, time
from pathlib import Path
from handrail import action, parallel, step

before = sys.stdout, sys.stderr
logging.basicConfig(format="%(levelname)s %(message)s")
log = logging.getLogger("acme")
log.addHandler(logging.StreamHandler(sys.stdout))

@step
def waits(context):
    Path("go").read_text()

@step
def talks(context):
    for number in range(3):
        context.set_progress(number, 3, "numbers")
        print("printed", number)
        log.warning("logged %d", number)
        sys.stderr.writelines(["written ", "in parts\\n"])

@step
def leaves_a_line_open(context):
    print("no end", end="")

@step
def asks(context):
    print("it was", input("what is it? "))
    print("and", next(sys.stdin), end="")

@step
def asks_for_a_secret(context):
    getpass.getpass("the key? ")

@step
def writes_without_an_echo(context):
    modes = termios.tcgetattr(0)
    termios.tcsetattr(0, termios.TCSANOW, [*modes[:3], modes[3] & ~termios.ECHO, *modes[4:]])
    print("meanwhile")
    termios.tcsetattr(0, termios.TCSANOW, modes)
    Path("go").read_text()

@step
def writes_again(context):
    for number in range(3):
        print(f"{number} of 3 ", end="\\r")
    Path("go").read_text()
    print("3 of 3")

@step
def writes_bytes(context):
    sys.stdout.buffer.write(b"2 of 3")
    sys.stdout.flush()
    Path("go").read_text()

@step
def writes_a_long_line(context):
    for number in range(8193):
        print(".", end="")
    Path("go").read_text()

@step
def writes_parts(context):
    print("whole 1\\nwhole 2\\nwhole 3")
    print("a part", end="", flush=True)
    print(" and its end")
    time.sleep(0.11)
    context.set_progress(1, 2)

@step
def looks(context):
    stdout, stderr = sys.stdout, sys.stderr
    Path("seen").write_text(repr([
        *(each.isatty() for each in (stdout, stderr, sys.stdin)),
        *(each.fileno() for each in (stdout, stderr, sys.stdin)),
        *(each.encoding for each in (stdout, stderr)), stdout.buffer.writable(),
    ]))
    subprocess.run(["echo", "a child"], stdout=stdout, check=True)

@step
def counts(context):
    for number in range(2000):
        context.set_progress(number, 2000)

@step
def half(context):
    context.set_progress(1, 2)
    Path("go").read_text()

def child(number):
    print("child", number)
    os.dup2(os.open("children.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    print("redirected", number)

@step
def forks(context):
    for number in range(5):
        process = multiprocessing.get_context("fork").Process(target=child, args=(number,))
        process.start()
        process.join()
        context.log("joined", {"number": number})

@step
def leaves_it(context):
    for number in range(3):
        subprocess.run(["echo", f"a child's {number}"], check=True)
        subprocess.run(["sh", "-c", f"echo also {number} >&2"], check=True)
        time.sleep(0.11)
        context.set_progress(number, 3)

def in_lane(name):
    @step(name=name)
    def do(context):
        print(f"begins {name}\\n", end="")  # In one piece: two lanes print at once.
        Path(name).read_text()
        context.log("said", {"by": name})
    return do

def rests(name):
    @step(name=name)
    def do(context):
        time.sleep(1)
    return do

lanes = [[in_lane("a"), in_lane("b")], in_lane("c"), in_lane("d")]
side_by_side = action("side_by_side", [parallel("both", lanes, concurrency=2)])
waiting = action("waiting", [waits])
leaving = action("leaving", [leaves_it])
forking = action("forking", [forks])
talking = action("talking", [talks])
open_line = action("open_line", [leaves_a_line_open, talks])
asking = action("asking", [asks])
guarded = action("guarded", [asks_for_a_secret])
unechoed = action("unechoed", [writes_without_an_echo])
rewriting = action("rewriting", [writes_again])
looking = action("looking", [looks])
of_bytes = action("of_bytes", [writes_bytes])
long_line = action("long_line", [writes_a_long_line])
beside = action("beside", [parallel("both", [[writes_parts], [rests("a")], [rests("b")]])])
counting = action("counting", [counts])
halving = action("halving", [half])

if __name__ == "__main__":
    handler = logging.root.handlers[0]
    try:
        globals()[sys.argv.pop(1)].main()
    finally:
        after = sys.stdout is before[0], sys.stderr is before[1], handler.stream is before[1]
        Path("after").write_text(repr(after))
"""

At = Callable[..., AtTerminal]


@pytest.fixture
def at(folder: Path, environment: dict[str, str]) -> At:
    """Return a function that runs an action of `talking.py` at a terminal."""
    (folder / "talking.py").write_text(TALKING)
    environment.pop("HANDRAIL_PROGRESS")

    def run(
        name: str, *words: str, columns: int | None = 80, term: str = "xterm", **options: object
    ) -> AtTerminal:
        command = [sys.executable, "talking.py", name, "--no-journal", *words]
        variables = {**environment, "TERM": term}
        if columns is not None:
            variables["COLUMNS"] = str(columns)
        return AtTerminal(command, folder, variables, **options)  # type: ignore[arg-type]

    return run


def test_the_clock_goes_on(at: At, folder: Path) -> None:
    """Each second the line tells the time of a step, also of one that reports nothing."""
    os.mkfifo(folder / "go")
    with at("waiting") as run:
        run.wait_for(r"▸ waits +1\.\ds")
        run.wait_for(r"▸ waits +2\.\ds")
        (folder / "go").write_text("")
        assert run.end() == 0
        assert re.match(r" ✓ waits +\d\.\ds", run.screen[1])
        assert len(run.screen) == 3


def test_lanes_that_run_have_a_line_each_which_stay_together(at: At, folder: Path) -> None:
    """Also while steps print; what has ended stands above them, and nothing of them is left."""
    for name in "abcd":
        os.mkfifo(folder / name)
    with at("side_by_side") as run:
        run.wait_for(r"0 of 4 done, 2 running · 1\.\ds")
        heading, *printed, first, second, third, whole = run.screen[1:]
        assert heading.startswith(" ┌ both ")
        assert sorted(printed) == ["begins a", "begins c"]
        assert [line[:8] for line in (first, second, third)] == [" │ 1 ▸ a", " │ 2 ▸ c", " │ 3   d"]
        assert third.endswith("waiting")
        assert whole.startswith(" 0 %  0 of 4 done, 2 running · 1.")
        (folder / "a").write_text("")
        run.wait_for("▸ b")
        (folder / "c").write_text("")
        run.wait_for("▸ d")
        (folder / "b").write_text("")
        (folder / "d").write_text("")
        assert run.end() == 0
        shown = [re.split(r" {2,}\d", line)[0] for line in run.screen]
        ended = [line for line in shown if "✓" in line]
        assert sorted(ended) == [
            f" │ {lane} ✓ {name}" for lane, name in zip("1123", "abcd", strict=True)
        ]
        assert not [line for line in shown if re.search("▸|waiting|running", line)]
        assert sorted(line for line in shown if "begins" in line) == [
            f"begins {name}" for name in "abcd"
        ]
        assert " │ 1   · a: said by=a" in shown


def test_what_steps_write_stays_whole(at: At) -> None:
    """Prints, logging and parts of lines: each stands on a line of its own, and none is lost."""
    with at("talking") as run:
        assert run.end() == 0
        middle = [
            line
            for number in range(3)
            for line in (f"printed {number}", f"logged {number}", f"WARNING logged {number}")
            for line in (line, *["written in parts"] * line.startswith("WARNING"))
        ]
        assert run.screen[1:-2] == middle
        assert "▸ talks" in run.shown
        assert run.screen[-2].startswith(" ✓ talks")


def test_standard_output_goes_where_it_is_meant_to(at: At, folder: Path) -> None:
    """Into a file or a pipe it is written as ever, and nothing of it is on the terminal."""
    with (folder / "out.txt").open("wb") as out, at("talking", out=out) as run:
        assert run.end() == 0
        assert "printed" not in run.shown
    told = (folder / "out.txt").read_text()
    assert "\x1b" not in told
    lines = [line for n in range(3) for line in (f"printed {n}", f"logged {n}")]
    assert told.splitlines()[:6] == lines


def test_a_line_that_a_step_leaves_open(at: At) -> None:
    """The next one does not begin in its middle."""
    with at("open_line") as run:
        assert run.end() == 0
        assert run.screen[1] == "no end"
        assert run.screen[2].startswith(" ✓ leaves_a_line_open")


def test_a_question_of_a_step_can_be_answered(at: At) -> None:
    """Nothing is drawn over it."""
    with at("asking") as run:
        run.wait_for("what is it")
        run.type("a lamp\n")
        run.wait_for("it was")
        run.type("a key\n")
        assert run.end() == 0
        told = ["what is it? a lamp", "it was a lamp", "a key", "and a key"]
        assert [line for line in run.screen[1:] if "▸" not in line][:4] == told


def test_nothing_is_drawn_while_a_secret_is_typed(at: At) -> None:
    with at("guarded") as run:
        run.wait_for("the key\\? ")
        assert run.read_for(1.5) == ""
        run.type("a lamp\n")
        assert run.end() == 0
        assert "a lamp" not in run.shown
        assert "the key?" in run.screen


def test_what_moves_comes_back_after_something_was_printed_meanwhile(at: At, folder: Path) -> None:
    os.mkfifo(folder / "go")
    with at("unechoed") as run:
        run.wait_for("meanwhile[^▸]*▸ writes_without")
        (folder / "go").write_text("")
        assert run.end() == 0


def test_a_line_that_a_step_writes_again_is_shown_at_once(at: At, folder: Path) -> None:
    """As at a terminal without a run around it; nothing is drawn beside it."""
    os.mkfifo(folder / "go")
    with at("rewriting") as run:
        run.wait_for("2 of 3")
        (folder / "go").write_text("")
        assert run.end() == 0
        assert run.screen[1] == "3 of 3"
        assert run.screen[2].startswith(" ✓ writes_again")


@pytest.mark.parametrize(("name", "shown"), [("of_bytes", "2 of 3"), ("long_line", r"\.{8193}")])
def test_what_has_no_end_is_shown_as_at_a_terminal(
    at: At, folder: Path, name: str, shown: str
) -> None:
    """When it is flushed, also if it went past the stream, and when the stream would be full."""
    os.mkfifo(folder / "go")
    with at(name) as run:
        run.wait_for(shown)
        (folder / "go").write_text("")
        assert run.end() == 0


def test_what_stands_above_lanes_stays_there(at: At) -> None:
    """Also when their lines come back after a line that was written in parts."""
    with at("beside") as run:
        assert run.end() == 0
        written = [line for line in run.screen if line.startswith(("whole", "a part"))]
        assert written == ["whole 1", "whole 2", "whole 3", "a part and its end"]


def test_the_streams_are_what_they_were(at: At, folder: Path) -> None:
    """To steps, which may hand them to others; and after the run they are the former ones."""
    with at("looking") as run:
        assert run.end() == 0
        assert "a child" in run.screen
    seen = (folder / "seen").read_text()
    assert seen == "[True, True, True, 1, 2, 0, 'utf-8', 'utf-8', True]"
    assert (folder / "after").read_text() == "(True, True, True)"


def test_forked_processes_leave_the_line_to_their_parent(at: At, folder: Path) -> None:
    """And write where their descriptors lead."""
    with at("forking") as run:
        assert run.end() == 0
        both = [line for n in range(5) for line in (f"child {n}", f"   · joined number={n}")]
        assert run.screen[1:-2] == both
        assert run.screen[-2].startswith(" ✓ forks")
    redirected = "".join(f"redirected {number}\n" for number in range(5))
    assert (folder / "children.txt").read_text() == redirected


def test_what_children_write_stays_whole(at: At) -> None:
    """It is written past this process: at worst, the moving line stands above it once more."""
    with at("leaving", term="xterm-256color") as run:
        assert run.end() == 0
        told = [line for line in run.screen if "child" in line or "also" in line]
        assert told == [line for n in range(3) for line in (f"a child's {n}", f"also {n}")]


@pytest.mark.parametrize("term", ["dumb", "cygwin", ""])
def test_nothing_is_written_to_the_edge_of_other_terminals(at: At, term: str) -> None:
    """One that goes to the next line at once would get a line for each drawing."""
    with at("leaving", term=term) as run:
        assert run.end() == 0
        assert "\x1b[999G" not in run.shown


@pytest.mark.parametrize("progress", ["plain", "json", "off"])
def test_another_kind_of_progress(at: At, progress: str) -> None:
    """Without the moving line, whatever the terminal could do."""
    with at("counting", "--progress", progress) as run:
        assert run.end() == 0
        assert "\x1b" not in run.shown
        begins = {"plain": r"\d\d:\d\d:\d\d ▸ counts", "json": '{"schema": 1, ', "off": "counting"}
        assert re.search(f"(?m)^{begins[progress]}", run.shown)
        assert ("▸" in run.shown) == (progress == "plain")


def test_figures_fit_a_narrow_terminal(at: At, folder: Path) -> None:
    os.mkfifo(folder / "go")
    with at("halving", columns=20) as run:
        run.wait_for(r"▸ half \d\.\ds +50 %")
        (folder / "go").write_text("")
        assert run.end() == 0


LOGGING = """
import sys, time
from handrail import action, parallel, step

def logs(name):
    @step(name=name)
    def do(context):
        for number in range(30):
            context.log("said", {"number": number})
            print("printed", number, "by", name)
            time.sleep(0.1)
    return do

alone = action("alone", [logs("send")])
beside = action("beside", [parallel("both", [[logs("a")], [logs("b")], [logs("c")]])])

if __name__ == "__main__":
    globals()[sys.argv.pop(1)].main()
"""


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
@pytest.mark.parametrize(("name", "lanes"), [("alone", 1), ("beside", 3)])
def test_what_runs_is_on_the_screen_while_steps_log(
    at: At, folder: Path, name: str, lanes: int, columns: int, rows: int
) -> None:
    """Whenever nothing more is written for now, from when all have begun until one ends."""
    (folder / "talking.py").write_text(LOGGING)
    screen = Screen(columns, rows)
    frames: list[list[str]] = []
    with at(name, columns=columns) as run:
        fed = 0
        while run.read():
            screen.feed(run.shown[fed:])
            fed = len(run.shown)
            if run.is_still:
                frames.append(screen.lines)
    running = [sum("▸" in line for line in frame[-lanes - 1 :]) for frame in frames]
    begun = running.index(lanes)
    ended = next(n for n, frame in enumerate(frames) if any("✓" in line for line in frame))
    seen = [number == lanes for number in running[begun:ended]]
    assert len(seen) >= 5
    assert sum(seen) >= 0.95 * len(seen)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_terminal_of_another_width_has_nothing_left_of_it(
    at: At, folder: Path, environment: dict[str, str], breaks: bool
) -> None:
    """Neither where lines are cut, nor where they are broken, as tmux does."""
    os.mkfifo(folder / "go")
    if breaks:
        environment["TMUX"] = "yes"
    screen = Screen(80, breaks=breaks)
    with at("waiting", columns=None) as run:
        run.wait_for("▸")
        screen.feed(run.shown)
        for columns in (70, 50, 30, 80):
            screen.feed(run.read_for(1.5))
            run.resize(columns)
            screen.resize(columns)
        screen.feed(run.read_for(1.5))
        assert [line for line in screen.lines if "▸" in line] == screen.lines[-1:]
        assert screen.lines[0].startswith("waiting")
        (folder / "go").write_text("")
        assert run.end() == 0


def test_nothing_is_left_after_ctrl_c(at: At, folder: Path) -> None:
    """Nor is `^C` shown, which would move what is drawn."""
    os.mkfifo(folder / "go")
    with at("waiting") as run:
        run.wait_for("▸")
        run.type("\x03")
        assert run.end() == 130
        assert not [line for line in run.screen if re.search("▸|\\^C|░", line)]
