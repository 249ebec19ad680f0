"""The view of a chain on a terminal: a line for each action, and for what goes wrong."""

from __future__ import annotations

import io
import re
import sys

import pytest
from chain_of_files import DATASET

from handrail import Origin, events
from handrail.builtin.cli.execution import Execution
from handrail.builtin.cli.view.console import Console
from handrail.builtin.cli.view.live_view import LiveView

NOWHERE = Origin()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Screen:
    """A view of the chain, whose time stands still until it is moved."""

    def __init__(self, err, finished=0):
        self.err = err
        self.now = 1000.0
        run = Execution(plan=DATASET.plan(packs=()), head="dataset", run=lambda _: {})
        self.view = LiveView(Console(), run, clock=lambda: self.now)
        self.tell(
            events.RunStarted(
                action="dataset",
                run_id="1",
                fingerprint="f",
                steps=("gather", "press", "teach", "close"),
                finished=finished,
            )
        )

    def tell(self, event, after=0.0):
        self.now += after
        self.view(event)

    def step(self, name, **data):
        self.tell(events.StepStarted(step=name, position=0, origin=NOWHERE))
        self.tell(events.StepFinished(step=name, position=0, took=1.0, data=data), 1.0)

    def lines(self):
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.err.getvalue())
        return [part.rstrip() for part in re.split(r"[\r\n]", text) if part.strip()]


@pytest.fixture
def screen(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    # Calls of the test, not a thread, let the time go by.
    monkeypatch.setattr("handrail.builtin.cli.view.progress.RunView._tick_after", lambda *_: None)
    made = []

    def make(**options):
        err = Terminal()
        monkeypatch.setattr(sys, "stderr", err)
        made.append(Screen(err, **options))
        return made[-1]

    yield make
    for each in made:
        each.view.close()


def test_an_action_has_one_line_when_its_steps_are_over(screen):
    shown = screen()
    shown.step("gather.open", summary="opened")
    shown.step("gather.fetch", summary="4 new")
    shown.step("gather")
    lines = [line for line in shown.lines() if "✓" in line]
    assert lines == [" ✓ gather          3.0s  2 of 2  4 new"]


def test_the_moving_line_has_the_action_its_step_and_how_many_are_done(screen):
    shown = screen()
    shown.step("gather.open")
    shown.tell(events.StepStarted(step="gather.fetch", position=1, origin=NOWHERE), 1.0)
    shown.now += 2.0
    shown.view.tick()
    assert shown.lines()[-1] == " ▸ gather.fetch    2.0s  ·  1 of 2  Ctrl-C undoes"


def test_what_had_finished_before_a_resume_counts(screen):
    shown = screen(finished=1)
    shown.step("press.press", summary="pressed")
    shown.step("press")
    assert [line for line in shown.lines() if "✓" in line] == [
        " ✓ press           2.0s  2 of 2  pressed"
    ]


def test_a_failure_and_the_undo_have_a_line_for_each_step(screen):
    shown = screen()
    shown.step("gather.open")
    shown.tell(events.StepStarted(step="gather.fetch", position=1, origin=NOWHERE))
    shown.tell(
        events.StepFailed(step="gather.fetch", position=1, took=1.0, error="no", origin=NOWHERE)
    )
    shown.tell(events.UndoStarted(cause="no", steps=("gather.fetch", "gather.open")))
    shown.tell(events.StepUndone(step="gather.fetch", took=1.0))
    lines = [" ".join(line.split()) for line in shown.lines()]
    assert "✗ gather.fetch 1.0s no" in lines
    assert "↶ gather.fetch 1.0s undone" in lines


def test_steps_that_always_run_have_none_unless_they_fail(screen):
    shown = screen()
    for name in ("gather", "press", "teach"):
        shown.step(name)
    shown.step("gather.close", summary="closed")
    shown.tell(events.StepStarted(step="press.close", position=7, origin=NOWHERE))
    shown.tell(
        events.StepFailed(step="press.close", position=7, took=1.0, error="no", origin=NOWHERE)
    )
    lines = [" ".join(line.split()) for line in shown.lines()]
    assert not any("closed" in line for line in lines)
    assert "✗ press.close 1.0s no" in lines
