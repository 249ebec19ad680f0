"""The children of a sweep: runs of their own, begun, continued and undone by workers."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from handrail import events
from handrail.derived import opened_parts
from handrail.errors import (
    ExecutorLostError,
    ExitCode,
    JournalDamagedError,
    JournalError,
    RollbackRefusedError,
)
from handrail.packs import default_url, kind_of
from handrail_workers.executors.code import source_folder
from handrail_workers.sweeps.points import point_text

if TYPE_CHECKING:
    from handrail.derived import PartRuns
    from handrail.events import Event
    from handrail_workers.sweeps.grid import Grid

STEP = "runs"
"""The name of the step of a sweep."""


def run_child(item: Mapping[str, Any], item_context: Any) -> dict[str, Any]:
    """Run the child at a place, or go on with it, or find that it is done; an item of a sweep.

    Args:
        item: The `place`, from 1, and the `point`: the values of its params by dotted name.
        item_context: Its `shared` is that of `shared_by`, with `on_failure` and `strict_results`.

    Returns:
        Its `metrics`: the numbers that its steps have reported, and those in its result; and for
        which of them it was said if a higher one is better: `higher_is_better`.

    Raises:
        StepFailedError: The child failed.
        RollbackRefusedError: An earlier child at this place is not completely undone.
        ExecutorLostError: Its journal failed, so nobody knows what is recorded of it.
    """
    shared = item_context.shared
    with _broken_off(), opened_parts(shared, source_folder()) as parts:
        metrics = _run(parts, shared, item["place"], item["point"])
        return {"metrics": metrics.found, "higher_is_better": metrics.better}


def roll_back_child(item: Mapping[str, Any], item_context: Any, _data: Mapping[str, Any]) -> None:
    """Undo the child at a place, if there is one and it was not undone yet; see `run_child`."""
    with _broken_off(), opened_parts(item_context.shared, source_folder()) as parts:
        latest = parts.latest(item["place"])
        if latest is not None and latest.outcome != "rolled_back":
            parts.roll_back(latest.number)


@contextmanager
def _broken_off() -> Generator[None]:
    """Leave the sweep to another process, too, if the journal fails for a child in the block."""
    try:
        yield
    except JournalDamagedError:
        raise
    except JournalError as error:
        if error.exit_code != ExitCode.JOURNAL:
            raise
        raise ExecutorLostError(error.message) from error


def _run(
    parts: PartRuns, shared: Mapping[str, Any], place: int, point: Mapping[str, Any]
) -> Metrics:
    """Run the child at a place to its end, whatever was done of it; return its metrics."""
    latest, metrics = parts.latest(place), Metrics()
    if latest is None or latest.outcome == "rolled_back":
        result = parts.begin(
            STEP,
            place,
            1 if latest is None else (latest.parent_attempt or 0) + 1,
            point,
            executor=_executor(parts),
            on_failure=shared["on_failure"],
            strict_results=shared["strict_results"],
            observers=(metrics,),
        )
    elif latest.outcome == "rollback_incomplete":
        raise RollbackRefusedError(
            f"run {latest.number} was rolled back, but not completely",
            ways_out=(f"undo what is left:  handrail rollback {latest.number}",),
        )
    elif latest.outcome == "completed":
        result = parts.result(latest.number)
    else:
        keeps = shared["on_failure"] == "keep"
        result = parts.go_on(latest.number, keeps=keeps, observers=(metrics,))
    return metrics.with_result(result)


def _executor(parts: PartRuns) -> str | None:
    """Return the executor for the items of a child, if not that of the settings.

    It is of the kind that the sweep itself has; the settings say how many slots it has.
    """
    asked = parts.executor
    if asked is None or kind_of(asked) == kind_of(parts.packs.executor or default_url()):
        return None
    return kind_of(asked)


def undo_lines(
    parts: PartRuns, grid: Grid, kept: Collection[int] = ()
) -> Iterator[tuple[int, str]]:
    """Yield number and a text for each child that would be undone, the last one first.

    Args:
        parts: The children.
        grid: The grid of the sweep.
        kept: Numbers of children that are left out.
    """
    points = dict(enumerate(grid, 1))
    for place, row, state in parts.all_latest():
        if row.outcome != "rolled_back" and row.number not in kept:
            yield row.number, f"{point_text(points[place])}  {state}"


class Metrics:
    """Keeps the last number that the steps of a run have reported under each name.

    Attributes:
        found: The numbers.
        better: Whether a higher one is better, of those for which that was said.
    """

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.better: dict[str, bool] = {}

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, events.MetricsMeasured):
            numbers = _numbers(event.value)
            self.found |= numbers
            if event.higher_is_better is not None:
                self.better |= dict.fromkeys(numbers, event.higher_is_better)

    def with_result(self, result: Mapping[str, Any]) -> Metrics:
        """Take the numbers in the result of the run, which come first; return all.

        `metrics` is left out of a name: the accuracy in `{"metrics": {"accuracy": 0.9}}` is
        `accuracy`.
        """
        told = _numbers({name: value for name, value in result.items() if name not in _COUNTS})
        self.found = told | {name: self.found[name] for name in self.found if name not in told}
        return self


_COUNTS = ("success", "steps_executed", "steps_total")


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {".".join(path): value for path, value in _leaves(values)}


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    for name, value in values.items():
        here = path if name == "metrics" else (*path, str(name))
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), here)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield here, value
