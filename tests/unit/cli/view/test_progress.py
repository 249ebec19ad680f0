"""The view of a run: the moving line with bytes and files, and a line for each step that ends."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from handrail import Origin, events
from handrail.cli.view.console import Console, moves
from handrail.cli.view.progress import LineView
from handrail.cli.view.text import columns, one_line, rate, share_of, size

NOWHERE = Origin()


class Pipe(io.StringIO):
    """A stream that keeps what is written to it, and takes every character."""

    encoding = "utf-8"


class Terminal(Pipe):
    """The same, where the cursor can be moved."""

    def isatty(self) -> bool:
        return True


class View:
    """A view of one step, on a terminal whose time stands still until it is moved."""

    def __init__(self, now: list[float]) -> None:
        self.now = now
        self.view = LineView(Console(), "upload · 2 steps", moving=moves(sys.stderr))
        self.tell(events.RunStarted(action="upload", run_id="1", fingerprint="f", steps=("send",)))
        self.tell(events.StepStarted(step="send", position=0, origin=NOWHERE))

    def tell(self, event: events.Event, after: float = 1.0) -> None:
        self.now[0] += after
        self.view(event)

    def progress(self, current: float, total: float, category: str | None = "bytes") -> str:
        self.tell(
            events.StepProgressed(step="send", current=current, total=total, category=category)
        )
        return self.shown()[-1]

    def shown(self) -> list[str]:
        """Return what was drawn, without colour and moves of the cursor."""
        text = re.sub(r"\x1b\[[0-9;]*[mK]", "", sys.stderr.getvalue())
        return [part.rstrip() for part in re.split(r"[\r\n]", text) if part.strip()]


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., View]:
    """Return a function that makes a view on a terminal of so many columns."""

    def _on_terminal(width: int = 100, kind: type[Pipe] = Terminal) -> View:
        now = [1000.0]
        monkeypatch.setattr("time.monotonic", lambda: now[0])
        monkeypatch.setattr("sys.stderr", kind())
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
        return View(now)

    return _on_terminal


def test_bytes_lead_and_files_stand_beside(on_terminal: Callable[..., View]) -> None:
    """The bar is that of the bytes, with rate and time left; the files are told as well."""
    view = on_terminal()
    view.progress(3, 4, "files")
    line = view.progress(500_000_000, 2_000_000_000, "bytes")
    assert line.startswith(" ▸ send")
    assert "████░░░░░░░░░░░░  25 %  500 MB/2 GB  ETA 6.0s  250 MB/s  3/4" in line


def test_files_do_not_take_the_bar(on_terminal: Callable[..., View]) -> None:
    """Also when files are told after the bytes, the bar stays that of the bytes."""
    view = on_terminal()
    view.progress(500_000_000, 2_000_000_000, "bytes")
    assert " 25 %  500 MB/2 GB  ETA" in view.progress(4, 4, "files")


def test_without_bytes_the_latest_leads(on_terminal: Callable[..., View]) -> None:
    """Where nothing is measured in bytes, the bar is that of the category that came last."""
    view = on_terminal()
    view.progress(1, 8, "sheets")
    line = view.progress(256, 512, "units")
    assert " 50 %  256/512  ETA " in line
    assert line.index("256/512") < line.index("1/8")
    assert "B/s" not in line


@pytest.mark.parametrize(
    ("width", "last"),
    [(20, "▸ send"), (60, "25 %"), (80, "ETA 6.0s"), (90, "3/4"), (100, "3/4"), (300, "3/4")],
)
def test_no_figure_is_cut(on_terminal: Callable[..., View], width: int, last: str) -> None:
    """On a narrow terminal whole parts are left out, from the end: half a figure would be wrong."""
    view = on_terminal(width)
    view.progress(3, 4, "files")
    line = view.progress(500_000_000, 2_000_000_000)
    assert columns(line) < width
    parts = ["▸ send", "2.0s", "████░░░░░░░░░░░░", "25 %", "500 MB/2 GB", "ETA 6.0s"]
    parts += ["250 MB/s", "3/4", "·", "0 %", "0 of 1", "Ctrl-C undoes"]
    found = re.split(r" {2,}", line.strip())
    assert found == parts[: parts.index(last) + 1]


def test_a_step_begins_anew(on_terminal: Callable[..., View]) -> None:
    """The figures of one step are gone in the next."""
    view = on_terminal()
    view.progress(1, 2)
    view.tell(events.StepFinished(step="send", position=0, took=1.0, data={}))
    view.tell(events.StepStarted(step="register", position=1, origin=NOWHERE))
    assert "B" not in view.shown()[-1]
    assert "░" not in view.shown()[-1]


def test_no_moving_line_elsewhere(on_terminal: Callable[..., View]) -> None:
    """Where the cursor cannot be moved, only ends of steps are written."""
    view = on_terminal(kind=Pipe)
    for current in range(5):
        view.tell(events.StepProgressed(step="send", current=current, total=5, category="bytes"))
    assert view.shown() == ["upload · 2 steps"]
    assert "\x1b" not in sys.stderr.getvalue()


def undo(view: View, *told: Any) -> list[str]:
    view.tell(events.UndoStarted(cause="no", steps=("send",)))
    for each in told:
        view.tell(each)
    return view.shown()[1:]


def message(name: str, summary: str, step: str = "send") -> events.MessageLogged:
    return events.MessageLogged(step=step, name=name, data={"summary": summary}, file=None)


def test_an_undo_tells_what_it_did(on_terminal: Callable[..., View]) -> None:
    """What a step logs as `undone` stands on its line, in place of the bare word, and only once."""
    lines = undo(
        on_terminal(kind=Pipe),
        message("undone", "406 objects deleted"),
        events.StepUndone(step="send", took=1.0),
        events.StepUndone(step="open", took=0.0),
    )
    assert lines == [
        " ↶ send            1.0s  406 objects deleted",
        " ↶ open            0.0s  undone",
    ]


def test_other_messages_of_an_undo(on_terminal: Callable[..., View]) -> None:
    """Other messages keep their own lines; so does `undone` before the undo of the run."""
    view = on_terminal(kind=Pipe)
    view.tell(message("undone", "2 objects deleted"))
    lines = undo(view, message("left", "1 object"), events.StepUndone(step="send", took=0.0))
    assert lines == [
        "   · undone 2 objects deleted",
        "   · left 1 object",
        " ↶ send            0.0s  undone",
    ]


def test_an_undo_that_fails_after_it_told(on_terminal: Callable[..., View]) -> None:
    """What a failed undo has told is not taken for that of the next step."""
    lines = undo(
        on_terminal(kind=Pipe),
        message("undone", "half of it"),
        events.UndoFailed(step="send", took=0.0, error="disk\nfull", origin=NOWHERE),
        events.StepUndone(step="open", took=0.0),
    )
    assert lines == [
        " ✗ send            0.0s  undo failed: disk full",
        " ↶ open            0.0s  undone",
    ]


def test_an_error_has_one_line(on_terminal: Callable[..., View]) -> None:
    """All of it is told below the run."""
    view = on_terminal(kind=Pipe)
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


def test_signals_say_what_they_do(on_terminal: Callable[..., View]) -> None:
    """In an undo the first one warns, and the second says that it stops, and what that leaves."""
    view = on_terminal(kind=Pipe)
    assert interrupted(view, False) == ["interrupted: undoing what was done"]
    undo(view)
    assert interrupted(view, True, False) == [
        "the undo goes on; Ctrl-C again stops it and leaves things behind",
        "stopping the undo, which leaves things behind",
    ]


def test_signals_in_an_undo_that_another_command_can_finish(
    on_terminal: Callable[..., View],
) -> None:
    view = on_terminal(kind=Pipe)
    view.view = LineView(Console(), "upload", moving=False, undoes=True)
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
    """Rates, and shares of bytes and of other things."""
    assert rate(116_000_000, 2) == "58 MB/s"
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
    on_terminal: Callable[..., View],
) -> None:
    """With the time left since the undo of this step began, and how many steps are undone."""
    view = on_terminal()
    view.tell(events.UndoStarted(cause="it was rolled back", steps=("last", "send")))
    view.tell(events.StepUndone(step="last", took=1.0), after=5.0)
    line = view.progress(500_000_000, 2_000_000_000)
    assert line.startswith(" ◂ send")
    assert " 25 %  500 MB/2 GB" in line
    line = view.progress(1_000_000_000, 2_000_000_000)
    assert " 50 %  1 GB/2 GB  ETA 2.0s  500 MB/s  ·  1 of 2 undone" in line
    assert "Ctrl-C" not in line
    view.tell(events.StepUndone(step="send", took=2.0))
    assert view.shown()[-1].startswith(" ↶ send")
    view.tell(events.StepStarted(step="close", position=2, origin=NOWHERE))
    assert view.shown()[-1].startswith(" ▸ close")
