"""What it costs to keep what steps say, in one run: `python benchmarks/observations.py [FOLDER]`.

A step that calls `context.log`, `set_metrics` or `set_progress` many times, in a journal in a file
that keeps none of it, and in one that does. Nobody listens, so that is all of the difference.

The files are in the folder that is given, or the one it is called from.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rounds import Cases, show

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)
from handrail.attachments import Plot
from handrail.builtin.sqlite.claims import SqliteOwnedRun
from handrail.sqlite import SqliteJournal

LINES, VALUES, REPORTS = 100_000, 10_000, 10_000


class Silent:
    """A runtime context that shows nothing."""

    def log(self, *given: Any) -> None:
        """Receive an event."""

    def set_progress(self, *given: Any) -> None:
        """Receive progress."""

    def set_metrics(self, *given: Any) -> None:
        """Receive metrics."""


class KeepsNothing(SqliteJournal):
    """A journal that keeps nothing of what steps say."""

    def open_run(self, new: Any, changes: Any = ()) -> SqliteOwnedRun:
        """Add a run that keeps nothing of it."""
        owned = super().open_run(new, changes)
        owned.keep = lambda rows: None  # type: ignore[method-assign]
        return owned


class Says(BaseStep[BaseStepContext]):
    """Says something many times."""

    name = "says"
    progress_weight = 1.0

    def __init__(self, say: Callable[[BaseStepContext], None]) -> None:
        self.say = say

    def execute(self, context: BaseStepContext) -> StepResult:
        """Say it."""
        self.say(context)
        return StepResult()


def lines(context: BaseStepContext) -> None:
    """Log many lines, as of files that are worked on."""
    for number in range(LINES):
        context.log("file", {"name": f"photo-{number}.png", "size": number, "ok": True})


def values(context: BaseStepContext) -> None:
    """Measure many values, as a training does."""
    for number in range(VALUES):
        context.set_metrics({"loss": 1 / (number + 1), "accuracy": 0.5, "epoch": number})


def reports(context: BaseStepContext) -> None:
    """Report progress many times, as an upload does."""
    for number in range(REPORTS):
        context.set_progress(number, REPORTS, "bytes")


def plots(context: BaseStepContext) -> None:
    """Attach ten plots of 500 points."""
    for number in range(10):
        context.attach(f"plot {number}", Plot("line", {"loss": [0.25] * 500}))


def cases(say: Callable[[BaseStepContext], None], folder: Path) -> Cases:
    """Return runs with a journal in a new file, and one without."""
    counter = itertools.count()

    def play(journal: SqliteJournal | None) -> None:
        registry = StepRegistry[BaseStepContext]()
        registry.register(Says(say))
        context = BaseStepContext(RuntimeContext(logger=Silent()))
        Orchestrator(registry, context, journal=journal).execute()

    def journaled(kind: type[SqliteJournal]) -> None:
        with closing(kind(folder / f"{next(counter)}.db")) as journal:
            play(journal)

    return {
        "a journal that keeps nothing of it": lambda: journaled(KeepsNothing),
        "a journal": lambda: journaled(SqliteJournal),
        "no journal": lambda: play(None),
    }


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)
        for title, say, count, rounds in (
            (f"{LINES:,} log lines", lines, LINES, 5),
            (f"{VALUES:,} values of each of 3 metrics", values, VALUES, 7),
            (f"{REPORTS:,} reports of progress", reports, REPORTS, 7),
            ("10 plots of 500 points", plots, 10, 15),
        ):
            show(title, cases(say, folder), count, rounds)


if __name__ == "__main__":
    main()
