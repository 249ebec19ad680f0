"""The views of a run: the moving line with bytes and files, and the lines of a log."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from terminals import Screen

from handrail import Origin, action, events
from handrail import step as step_of
from handrail.amounts import share_of, size
from handrail.builtin.cli.execution import Execution
from handrail.builtin.cli.view.console import Console, moves
from handrail.builtin.cli.view.live_view import LiveView
from handrail.builtin.cli.view.progress import LogView, RunView, StepView
from handrail.builtin.cli.view.text import columns, one_line
from handrail.frozen import replace
from handrail.plan.plan import Group

NOWHERE = Origin()


class Pipe(io.StringIO):
    """A stream that keeps what is written to it, and takes every character."""

    encoding = "utf-8"

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


class Terminal(Pipe):
    """The same, where the cursor can be moved, with a screen."""

    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.screen.feed(text)
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        return self.screen.lines


def execution(head: str, *, groups: Sequence[Group] = (), undoes: bool = False) -> Execution:
    """Return a run of two steps, that is not carried out."""
    plan = action("upload", [step_of(name=name)(print) for name in ("send", "open")]).plan(packs=())
    plan = replace(plan, groups=tuple(groups))
    return Execution(plan=plan, head=head, run=lambda _: {}, undoes=undoes)


class View:
    """A view of one step, whose time stands still until it is moved."""

    def __init__(self, kind: type[RunView] | None = None, **options: Any) -> None:
        self.now = 1000.0
        self.err: Any = sys.stderr
        if kind is None:
            kind = LiveView if moves(sys.stderr) else StepView
        run = execution("upload · 2 steps", **options)
        self.view = kind(Console(), run, self.time)
        if kind is LogView:
            self.view.wall = self.wall
        self.begin()

    def time(self) -> float:
        return self.now

    def wall(self) -> str:
        return f"12:{int(self.now) // 60 % 60:02}:{int(self.now) % 60:02}"

    def begin(self) -> None:
        self.tell(events.RunStarted(action="upload", run_id="1", fingerprint="f", steps=("send",)))
        self.tell(events.StepStarted(step="send", position=0, origin=NOWHERE))

    def tell(self, event: events.Event, after: float = 1.0) -> None:
        self.now += after
        self.view(event)

    def tick(self, after: float = 1.0) -> str:
        """Let time go by, and return the last line."""
        self.now += after
        self.view.tick()
        return self.shown()[-1]

    def progress(
        self, current: float, total: float, category: str | None = "bytes", after: float = 1.0
    ) -> str:
        self.tell(
            events.StepProgressed(step="send", current=current, total=total, category=category),
            after,
        )
        return self.shown()[-1]

    def status(self, text: str | None) -> str:
        self.tell(events.StatusChanged(step="send", status=text))
        return self.shown()[-1]

    def shown(self) -> list[str]:
        """Return what was written, or what stands on the screen."""
        return [line.rstrip() for line in self.err.lines]


OnTerminal = Callable[..., View]


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[OnTerminal]:
    """Return a function that makes a view on a terminal of so many columns."""
    made: list[View] = []

    def _on_terminal(width: int = 100, stream: type[Pipe] = Terminal, **options: Any) -> View:
        monkeypatch.setattr("sys.stderr", stream())
        # Calls of the test, not a thread, let the time go by.
        monkeypatch.setattr(
            "handrail.builtin.cli.view.progress.RunView._tick_after", lambda *_: None
        )
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        made.append(View(**options))
        return made[-1]

    yield _on_terminal
    for each in made:
        each.view.close()


@pytest.fixture
def in_log(on_terminal: OnTerminal) -> View:
    """Return a view without a terminal."""
    return on_terminal(stream=Pipe, kind=LogView)


@pytest.mark.parametrize("kind", [LiveView, LogView])
def test_progress_is_drawn_at_every_width(on_terminal: OnTerminal, kind: type[RunView]) -> None:
    long = "資料を送る_and_" * 7
    for width in range(20, 201):
        view = on_terminal(width, kind=kind)
        view.tell(events.StepStarted(step=long, position=1, origin=NOWHERE))
        view.progress(1, 4, long)
        view.status(long)
        view.tell(events.StepFailed(step=long, position=1, took=1.0, error=long, origin=NOWHERE))
        if kind is LiveView:
            assert max(map(columns, view.shown())) <= width


def test_bytes_lead_and_files_stand_beside(on_terminal: OnTerminal) -> None:
    """The bar has the bytes beside it, with rate and time left; the files are told as well."""
    view = on_terminal(120)
    view.progress(0, 4, "files")
    view.progress(0, 2_000_000_000, "bytes")
    view.progress(3, 4, "files")
    line = view.progress(500_000_000, 2_000_000_000, "bytes")
    assert line.startswith(" ▸ send")
    assert "████░░░░░░░░░░░░  25 %  500 MB/2 GB  6.0s left  250 MB/s  3/4" in line


def test_files_do_not_take_the_bar(on_terminal: OnTerminal) -> None:
    """Also when files are told after the bytes, those stay behind the bar."""
    view = on_terminal()
    view.progress(500_000_000, 2_000_000_000, "bytes")
    assert " 25 %  500 MB/2 GB" in view.progress(4, 4, "files")


def test_without_bytes_the_latest_leads(on_terminal: OnTerminal) -> None:
    """Where nothing is measured in bytes, the bar is that of the category that came last."""
    view = on_terminal()
    view.progress(1, 8, "sheets")
    view.progress(0, 512, "units")
    line = view.progress(256, 512, "units")
    assert " 50 %  256/512  1.0s left" in line
    assert line.index("256/512") < line.index("1/8")
    assert "B/s" not in line


def test_the_time_goes_on_while_a_step_reports_nothing(on_terminal: OnTerminal) -> None:
    """Each tick draws the line anew, with the time since the step began."""
    view = on_terminal()
    assert " ▸ send            1.0s  ·  0 %  0 of 1" in view.tick()
    assert " ▸ send             12s  ·  0 %  0 of 1" in view.tick(11)


def test_no_time_left_is_told_without_progress(on_terminal: OnTerminal) -> None:
    """A step that came no further for long has no time left that could be told, and no rate."""
    view = on_terminal()
    view.progress(0, 100)
    view.progress(50, 100)
    assert " 50 %  50 B/100 B  1.0s left  50 B/s" in view.shown()[-1]
    assert " 50 %  50 B/100 B  0.0s left  50 B/s" in view.tick(9)
    assert " 50 %  50 B/100 B  no progress for 11s  ·" in view.tick(2)
    # The same again is no progress.
    assert " 50 %  50 B/100 B  no progress for 12s  ·" in view.progress(50, 100)
    assert "no progress" not in view.progress(60, 100)


def test_a_status_stands_in_place_of_the_time_left(on_terminal: OnTerminal) -> None:
    """It holds until the step comes further, ends, or takes it back."""
    view = on_terminal(80)
    view.progress(0, 100)
    view.progress(50, 100)
    text = "retrying 2/8: store.example:9000 cannot be reached"
    line = view.status(text)
    assert line == f" ▸ send            3.0s  {text}"
    assert view.tick() == f" ▸ send            4.0s  {text}"
    assert view.progress(50, 100) == f" ▸ send            5.0s  {text}"
    assert text not in view.progress(60, 100)
    assert "waits  60 %  60 B/100 B  ·  0 %" in view.status("waits")
    assert "waits" not in view.status(None)
    view.status("waits")
    view.tell(events.StepFinished(step="send", position=0, took=1.0, data={}))
    view.tell(events.StepStarted(step="next", position=1, origin=NOWHERE))
    assert "waits" not in view.shown()[-1]


def test_a_long_status_is_cut(on_terminal: OnTerminal) -> None:
    """It is words, not figures, and its beginning says most."""
    line = on_terminal(60).status("retrying 2/8: " + "very " * 40)
    assert columns(line) < 60
    assert line.endswith("very…")


@pytest.mark.parametrize("name", ["ü" * 30, "图像" * 12, "e\u0301" * 40, "👩\u200d🔬" * 8])
def test_the_line_never_wraps(on_terminal: OnTerminal, name: str) -> None:
    """Also with wide characters and with combining ones."""
    view = on_terminal(40)
    view.tell(events.StepStarted(step=name, position=0, origin=NOWHERE))
    view.status("图" * 60)
    assert columns(view.shown()[-1]) < 40


@pytest.mark.parametrize(
    ("width", "gone"),
    [
        (20, ["500 MB/2 GB", "6.0s left"]),
        (40, ["500 MB/2 GB", "250 MB/s"]),
        (60, ["3/4", "0 of 1"]),
        (80, ["█", "Ctrl-C undoes"]),
        (100, ["Ctrl-C undoes"]),
        (300, []),
    ],
)
def test_no_figure_is_cut(on_terminal: OnTerminal, width: int, gone: list[str]) -> None:
    """Whole parts are left out where there is no room: half a figure would be wrong."""
    view = on_terminal(width)
    view.progress(0, 4, "files")
    view.progress(0, 2_000_000_000)
    view.progress(3, 4, "files")
    line = view.progress(500_000_000, 2_000_000_000)
    assert columns(line) < width
    parts = ["████░░░░░░░░░░░░", "25 %", "500 MB/2 GB", "6.0s left", "250 MB/s", "3/4"]
    found = re.split(r" {2,}", line.strip())[1:]
    assert not set(found) - {*parts, "4.0s", "·", "0 %", "0 of 1", "Ctrl-C undoes"}
    assert not [part for part in gone if part in line]
    if width >= 80:
        assert set(parts[1:]) <= set(found)


def test_threads_that_print_lose_nothing(on_terminal: OnTerminal) -> None:
    """Also where each writes parts of lines."""
    view, before = on_terminal(), sys.getswitchinterval()
    shared = sys.stderr

    def write() -> None:
        for number in range(20_000):
            shared.write("part;" if number % 50 else "end;\n")

    threads = [threading.Thread(target=write) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    view.view.close()
    assert view.err.getvalue().count(";") == 80_000


class Signalled(Terminal):
    """A terminal, whose write a signal comes upon once it is told what to call then."""

    signal: Callable[[], None] | None = None
    writes = False

    def write(self, text: str) -> int:
        if self.writes:
            raise RuntimeError("reentrant call")
        signal, self.signal, self.writes = self.signal, None, True
        try:
            if signal is not None:
                signal()
                raise KeyboardInterrupt
            return super().write(text)
        finally:
            self.writes = False


def test_an_interrupt_comes_upon_a_write(on_terminal: OnTerminal) -> None:
    """What follows is shown, and what the handler of the signal has told."""
    view = on_terminal(stream=Signalled)
    view.err.signal = lambda: view.tell(events.InterruptReceived(signal="SIGINT", undoing=False))
    with pytest.raises(KeyboardInterrupt):
        sys.stderr.write("printed\n")
    error = "KeyboardInterrupt"
    view.tell(events.StepFailed(step="send", position=0, took=1.0, error=error, origin=NOWHERE))
    assert view.shown()[-2] == "interrupted: undoing what was done"
    assert view.shown()[-1].startswith(" ✗ send")


def test_a_step_begins_anew(on_terminal: OnTerminal) -> None:
    """The figures of one step are gone in the next."""
    view = on_terminal()
    view.progress(1, 2)
    view.tell(events.StepFinished(step="send", position=0, took=1.0, data={}))
    view.tell(events.StepStarted(step="register", position=1, origin=NOWHERE))
    assert "B" not in view.shown()[-1]
    assert "░" not in view.shown()[-1]


def test_no_moving_line_elsewhere(on_terminal: OnTerminal) -> None:
    """Where the cursor cannot be moved, only ends of steps are written."""
    view = on_terminal(stream=Pipe)
    for current in range(5):
        view.tell(events.StepProgressed(step="send", current=current, total=5, category="bytes"))
    assert view.shown() == ["upload · 2 steps"]
    assert "\x1b" not in sys.stderr.getvalue()


# In a log


def test_a_log_shows_life(in_log: View) -> None:
    """A line when a step begins, one each 30 seconds with what is known, and one when it ends."""
    in_log.tick(29)
    in_log.progress(0, 418, "files", after=0)
    in_log.progress(0, 2_310_000_000, after=0)
    in_log.tick(1)
    in_log.progress(131, 418, "files", after=29)
    in_log.progress(700_000_000, 2_310_000_000, after=0)
    in_log.tick(1)
    in_log.tick(5)
    in_log.tell(events.StepFinished(step="send", position=0, took=108.0, data={"summary": "406"}))
    assert in_log.shown() == [
        "12:16:41 upload · 2 steps",
        "12:16:42 ▸ send",
        "12:17:12   send  0 %  0 B/2.31 GB · 0/418",
        "12:17:42   send  30 %  700 MB/2.31 GB · 1m 08s left · 23.3 MB/s · 131/418",
        "12:17:48 ✓ send  1m 48s  406",
    ]


def test_a_log_of_a_step_that_reports_nothing(in_log: View) -> None:
    assert in_log.tick(30) == "12:17:12   send  has been running for 30s"


def test_what_a_step_waits_for_is_in_the_log_at_once(in_log: View) -> None:
    """Once; the retries that follow at once are told by the line of each 30 seconds."""
    in_log.status("retrying 1/8: no connection")
    in_log.status("retrying 2/8: no connection")
    in_log.status("retrying 2/8: no connection")
    assert in_log.shown()[2:] == ["12:16:43   send  retrying 1/8: no connection"]
    assert in_log.tick(30) == "12:17:15   send  retrying 2/8: no connection"


def test_a_log_is_quiet_between_its_lines(in_log: View) -> None:
    """The view asks to be woken when its next line is due, and not before."""
    assert in_log.view.tick() == 30
    in_log.now += 10
    assert in_log.view.tick() == 20
    in_log.now += 20
    assert in_log.view.tick() == 30


def test_an_undo_in_a_log(in_log: View) -> None:
    """The undo of each step has a beginning too."""
    in_log.tell(events.StepFailed(step="send", position=1, took=1, error="no", origin=NOWHERE))
    in_log.tell(events.UndoStarted(cause="no", steps=("send", "open")))
    in_log.tell(events.StepUndone(step="send", took=2.0))
    in_log.tell(events.StepUndone(step="open", took=0.0))
    assert [line[9:] for line in in_log.shown()[2:]] == [
        "✗ send  1.0s  no",
        "◂ send",
        "↶ send  2.0s  undone",
        "◂ open",
        "↶ open  0.0s  undone",
    ]


def test_steps_of_a_run_that_a_step_has_made_are_undone_before_that_step(in_log: View) -> None:
    in_log.tell(events.UndoStarted(cause="no", steps=("send", "open")))
    for step in ("send.post", "send.weigh", "send", "open"):
        in_log.tell(events.StepUndone(step=step, took=0.0))
    told = [line[9:].split("  ")[0] for line in in_log.shown()[2:]]
    assert told == ["◂ send", "↶ send.post", "↶ send.weigh", "↶ send", "◂ open", "↶ open"]


def undo(view: View, *told: Any) -> list[str]:
    view.tell(events.UndoStarted(cause="no", steps=("send",)))
    for each in told:
        view.tell(each)
    return view.shown()[1:]


def message(name: str, summary: str, step: str = "send") -> events.MessageLogged:
    return events.MessageLogged(step=step, name=name, data={"summary": summary}, file=None)


def test_an_undo_tells_what_it_did(on_terminal: OnTerminal) -> None:
    """What a step logs as `undone` stands on its line, in place of the bare word, and only once."""
    lines = undo(
        on_terminal(stream=Pipe),
        message("undone", "406 objects deleted"),
        events.StepUndone(step="send", took=1.0),
        events.StepUndone(step="open", took=0.0),
    )
    assert lines == [
        " ↶ send            1.0s  406 objects deleted",
        " ↶ open            0.0s  undone",
    ]


def test_other_messages_of_an_undo(on_terminal: OnTerminal) -> None:
    """Other messages keep their own lines; so does `undone` before the undo of the run."""
    view = on_terminal(stream=Pipe)
    view.tell(message("undone", "2 objects deleted"))
    lines = undo(view, message("left", "1 object"), events.StepUndone(step="send", took=0.0))
    assert lines == [
        "   · undone 2 objects deleted",
        "   · left 1 object",
        " ↶ send            0.0s  undone",
    ]


def test_an_undo_that_fails_after_it_told(on_terminal: OnTerminal) -> None:
    """What a failed undo has told is not taken for that of the next step."""
    lines = undo(
        on_terminal(stream=Pipe),
        message("undone", "half of it"),
        events.UndoFailed(step="send", took=0.0, error="disk\nfull", origin=NOWHERE),
        events.StepUndone(step="open", took=0.0),
    )
    assert lines == [
        " ✗ send            0.0s  undo failed: disk full",
        " ↶ open            0.0s  undone",
    ]


def test_an_error_has_one_line(on_terminal: OnTerminal) -> None:
    """All of it is told below the run."""
    view = on_terminal(stream=Pipe)
    error = "first\n" + "and so on " * 50
    view.tell(events.StepFailed(step="send", position=0, took=0.0, error=error, origin=NOWHERE))
    line = view.shown()[-1]
    assert line.startswith(" ✗ send            0.0s  first and so on")
    assert line.endswith("…")
    assert columns(line) <= 100


def interrupted(view: View, *undoing: bool) -> list[str]:
    for each in undoing:
        view.tell(events.InterruptReceived(signal="SIGINT", undoing=each))
    return view.shown()[-len(undoing) :]


def test_signals_say_what_they_do(on_terminal: OnTerminal) -> None:
    """In an undo the first one warns, and the second says that it stops, and what that leaves."""
    view = on_terminal(stream=Pipe)
    assert interrupted(view, False) == ["interrupted: undoing what was done"]
    undo(view)
    assert interrupted(view, True, False) == [
        "the undo goes on; Ctrl-C again stops it and leaves things behind",
        "stopping the undo, which leaves things behind",
    ]


def test_signals_in_an_undo_that_another_command_can_finish(
    on_terminal: OnTerminal,
) -> None:
    view = on_terminal(stream=Pipe)
    view.view = StepView(Console(), execution("upload", undoes=True), view.time)
    view.tell(
        events.RunStarted(
            action="upload", run_id="1", fingerprint="f", steps=("send",), number=7, finished=1
        )
    )
    assert view.shown()[-1] == "run 7 · upload · undoes what was done"
    assert interrupted(view, True, False) == [
        "the undo goes on; Ctrl-C again stops it and leaves the rest to  handrail rollback 7",
        "stopping the undo, which leaves the rest to  handrail rollback 7",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1 kB"),
        (1000, "1 kB"),
        (25_060_000, "25.1 MB"),
        (999_600_000, "1 GB"),
        (2_240_000_000, "2.24 GB"),
        (7e15, "7e+03 TB"),
    ],
)
def test_sizes(count: float, text: str) -> None:
    """Bytes are shown with three digits and a decimal unit."""
    assert size(count) == text


def test_figures() -> None:
    """Shares of bytes and of other things."""
    assert share_of(1_410_000_000, 2_310_000_000, "bytes") == "1.41 GB/2.31 GB"
    assert share_of(256, 418, "files") == share_of(256, 418, None) == "256/418"
    assert share_of(12.5, 100, None) == "12.5/100"
    assert share_of(1_234_567, 2_000_000, "rows") == "1,234,567/2,000,000"


def test_one_line() -> None:
    """Text that has several lines becomes one, and is cut where it is long."""
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("a  b") == "a  b"
    assert one_line("x" * 501) == "x" * 499 + "…"


def test_the_progress_of_an_undo_is_shown_like_that_of_a_step(
    on_terminal: OnTerminal,
) -> None:
    """With the time left since the undo of this step began, and how many steps are undone."""
    view = on_terminal()
    view.tell(events.UndoStarted(cause="it was rolled back", steps=("last", "send")))
    view.tell(events.StepUndone(step="last", took=1.0), after=5.0)
    assert view.tick(0).startswith(" ◂ send            0.0s")
    line = view.progress(500_000_000, 2_000_000_000)
    assert line.startswith(" ◂ send            1.0s")
    assert " 25 %  500 MB/2 GB" in line
    line = view.progress(1_000_000_000, 2_000_000_000)
    assert " 50 %  1 GB/2 GB  2.0s left  500 MB/s  ·  1 of 2 undone" in line
    assert "Ctrl-C" not in line
    view.tell(events.StepUndone(step="send", took=2.0))
    assert view.shown()[-1].startswith(" ↶ send")
    view.tell(events.StepStarted(step="close", position=2, origin=NOWHERE))
    assert view.shown()[-1].startswith(" ▸ close")


# Groups

MEDIA = Group(name="media", lanes=(range(1, 3), range(3, 4), range(4, 5)), limit=2)
NIGHTLY = ("fetch", "resize", "watermark", "transcode", "thumbs", "publish")
IN_LANE = {"resize": 0, "watermark": 0, "transcode": 1, "thumbs": 2}


class GroupView(View):
    """A view of a run with a group, before its first step."""

    steps: tuple[str, ...] = NIGHTLY
    finished = 0

    def __init__(self, kind: type[RunView] | None = None, **options: Any) -> None:
        super().__init__(kind, **{"groups": (MEDIA,), **options})

    def begin(self) -> None:
        self.tell(
            events.RunStarted(
                action="upload",
                run_id="1",
                fingerprint="f",
                steps=self.steps,
                finished=self.finished,
            )
        )
        self.err.truncate(0)
        self.err.seek(0)

    def place(self, step: str) -> Any:
        lane = IN_LANE.get(step)
        return {"step": step, "group": None if lane is None else "media", "lane": lane}

    def start(self, *steps: str) -> None:
        for step in steps:
            self.tell(events.StepStarted(position=0, origin=NOWHERE, **self.place(step)))

    def finish(self, step: str) -> None:
        self.tell(events.StepFinished(position=0, took=4.0, data={}, **self.place(step)))

    def part(self, step: str, current: float, total: float) -> None:
        self.tell(
            events.StepProgressed(current=current, total=total, category=None, **self.place(step))
        )

    def region(self, after: float = 1.0) -> list[str]:
        """Let time go by, and return the lines that move."""
        self.tick(after)
        lines = self.shown()
        return lines[next(at for at, line in enumerate(lines) if re.search("[▸◂]", line)) :]


@pytest.fixture
def group_view(on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch) -> GroupView:
    """Return a view of a run with a group, on a terminal of 80 columns."""
    on_terminal(80)
    monkeypatch.setenv("LINES", "24")
    return GroupView()


def test_each_lane_that_runs_has_a_line_and_each_that_waits(group_view: GroupView) -> None:
    """Below what has ended, and above what holds for the whole run."""
    group_view.start("fetch")
    group_view.finish("fetch")
    group_view.start("resize", "transcode")
    group_view.finish("resize")
    group_view.start("watermark")
    group_view.part("watermark", 40, 120)
    ended = [line for line in group_view.shown() if re.search("[✓┌]", line)]
    assert ended == [
        " ✓ fetch            4.0s",
        " ┌ media                  3 lanes, 2 at a time",
        " │ 1 ✓ resize       4.0s",
    ]
    group_view.tell(events.ProgressChanged(percent=58))
    region = group_view.region()
    assert [line[:27] for line in region] == [
        " │ 1 ▸ watermark    3.0s  █",
        " │ 2 ▸ transcode    5.0s",
        " │ 3   thumbs             w",
        " 58 %  2 of 6 done, 2 runni",
    ]
    assert region[0].endswith("█████░░░░░░░░░░░  33 %  40/120")
    assert region[-1].endswith("2 running · 9.0s · Ctrl-C undoes")
    assert all(columns(line) <= 79 for line in region)


def test_lines_that_move_are_drawn_over_each_other(group_view: GroupView) -> None:
    """However many there are, none is left when there are fewer."""
    group_view.start("resize", "transcode")
    assert len(group_view.region()) == 4
    group_view.finish("transcode")
    assert len(group_view.region()) == 3
    assert [line for line in group_view.shown() if "▸ transcode" in line] == []


class Frames(Terminal):
    """The same, which keeps what stands on the screen after each write."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[list[str]] = []

    def write(self, text: str) -> int:
        count = super().write(text)
        self.frames.append(self.screen.lines)
        return count


def test_no_write_leaves_the_screen_without_what_runs(
    on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(80, stream=Frames)
    monkeypatch.setenv("LINES", "24")
    view = GroupView()
    view.start("resize", "transcode")
    view.err.frames.clear()
    for number in range(20):
        view.tell(message("said", str(number), step="resize"), after=0.05)
        print("printed", number, file=sys.stderr)
        view.part("transcode", number, 20)
    assert len(view.err.frames) >= 40
    assert {sum("▸" in line for line in frame[-4:]) for frame in view.err.frames} == {2}


def test_after_a_failure_no_lane_waits(group_view: GroupView) -> None:
    """None of them will start any more."""
    group_view.start("resize", "transcode")
    failed = events.StepFailed(
        position=0, took=1.0, error="no", origin=NOWHERE, **group_view.place("transcode")
    )
    group_view.tell(failed)
    assert [line.split()[2] for line in group_view.region()[:-1]] == ["▸"]


def test_what_is_undone_has_one_line_without_a_lane(group_view: GroupView) -> None:
    """Undo goes one step at a time, whatever ran beside what."""
    group_view.start("resize", "transcode")
    group_view.finish("resize")
    group_view.finish("transcode")
    group_view.tell(events.UndoStarted(cause="no", steps=("transcode", "resize")))
    assert group_view.region()[0].startswith(" ◂ transcode        1.0s  ·  0 of 2 undone")
    group_view.tell(events.StepUndone(took=1.0, **group_view.place("transcode")))
    assert " ↶ transcode        1.0s  undone" in group_view.shown()


def test_messages_of_a_lane_name_their_step(group_view: GroupView) -> None:
    """Several steps may talk at a time."""
    group_view.start("resize", "transcode")
    said = events.MessageLogged(
        name="shrunk", data={"size": 3}, file=None, **group_view.place("resize")
    )
    group_view.tell(said)
    assert " │ 1   · resize: shrunk size=3" in group_view.shown()


def test_a_step_after_the_group_is_shown_alone(group_view: GroupView) -> None:
    """As before it."""
    group_view.start("resize")
    group_view.finish("resize")
    group_view.start("publish")
    assert group_view.region() == [" ▸ publish          1.0s  ·  0 %  1 of 6  Ctrl-C undoes"]


def test_of_many_lanes_some_are_drawn_and_the_others_counted(
    on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the terminal has room for, however many there are."""
    on_terminal(80)
    monkeypatch.setenv("LINES", "7")
    names = tuple(f"s{number}" for number in range(1_000))
    wide = Group(name="wide", lanes=tuple(range(at, at + 1) for at in range(1_000)), limit=20)
    monkeypatch.setattr(GroupView, "steps", names)
    view = GroupView(groups=(wide,))
    for lane in range(20):
        view.tell(
            events.StepStarted(
                step=f"s{lane}", position=lane, origin=NOWHERE, group="wide", lane=lane
            )
        )
    region = view.region()
    assert [line.split("s", 1)[0] for line in region[:4]] == [
        *(f" │ {lane:>4} ▸ " for lane in range(1, 5)),
    ]
    assert region[4] == " │ … and 996 more running or waiting"
    assert len(region) == 6


def test_of_a_run_that_goes_on_in_a_group_nobody_says_which_lanes_wait(
    on_terminal: OnTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have ended before."""
    on_terminal(80)
    monkeypatch.setattr(GroupView, "finished", 3)
    view = GroupView()
    view.start("watermark")
    assert not any("waiting" in line for line in view.region())


def test_a_log_names_the_lane_of_each_step(
    on_terminal: OnTerminal,
) -> None:
    """With a line for each that runs after half a minute."""
    on_terminal(stream=Pipe, kind=LogView)
    view = GroupView(LogView)
    view.start("fetch")
    view.finish("fetch")
    view.start("resize", "transcode")
    view.tell(events.StatusChanged(status="retrying 2/8", **view.place("transcode")))
    view.finish("resize")
    view.now += 30
    view.tick()
    assert [line[9:] for line in view.shown()] == [
        "▸ fetch",
        "✓ fetch  4.0s",
        "┌ media  3 lanes, 2 at a time",
        "│ 1 ▸ resize",
        "│ 2 ▸ transcode",
        "│ 2   transcode  retrying 2/8",
        "│ 1 ✓ resize  4.0s",
        "│ 2   transcode  retrying 2/8",
    ]


def test_a_step_with_a_timeout_shows_it(on_terminal: OnTerminal) -> None:
    """Beside how far it is, so that a person sees how long it can still take."""
    view = on_terminal()
    view.tell(events.StepFinished(step="send", position=0, took=1.0, data={}))
    view.tell(events.StepStarted(step="next", position=1, origin=NOWHERE, timeout=90))
    assert "(limit 1m 30s)" in view.tick()
    view.tell(events.StepStarted(step="last", position=2, origin=NOWHERE))
    view.tell(events.StepFinished(step="next", position=1, took=1.0, data={}))
    assert "limit" not in view.tick()
