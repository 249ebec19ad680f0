"""The report of a sweep, as `handrail show` prints it: a table of its children, to compare them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural, seconds
from handrail.cli import (
    STYLES,
    Column,
    Listing,
    RunReport,
    columns,
    command_line,
    facts,
    listed,
    one_line,
    run_to_dict,
    terminal_width,
)
from handrail.errors import ExitCode, NotFoundError
from handrail.frozen import frozen, replace
from handrail.records import record_of
from handrail.suggest import did_you_mean
from handrail_workers.sweeps.points import value_text
from handrail_workers.sweeps.record import sweep_record

if TYPE_CHECKING:
    from handrail.cli import ShowRequest, Style
    from handrail.journal import Journal
    from handrail_workers.sweeps.record import Child, SweepRecord

_FULL = 40  # Up to this many children are all shown; of more, the first ones.
_CURVES = 6  # Children whose curves are told: no plot has more.
_FAILED = 3  # Errors of children that are shown below the table.
_LONGEST = 60
_STATES = {**STYLES, "failed, rolled back": "red", "not begun": "dim"}


@frozen
class SweepReport:
    """The report of a sweep.

    Attributes:
        report: The report of its run.
        sweep: Its record.
        journal: The journal that it is in.
        sort: The metric by which children are sorted, the best first, or the greatest if nothing
            was said; `-NAME` has the least first, and `+NAME` the greatest. Empty for the order of
            the grid.
        best: `max:NAME` or `min:NAME`, for the metric whose best run is marked; by default, the
            first one for which it was said whether a higher one is better.
        everything: Whether to show everything, however long.
    """

    report: RunReport
    sweep: SweepRecord
    journal: Journal
    sort: str = ""
    best: str = ""
    everything: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for programs."""
        return {**self.report.to_dict(), **self._sweep_to_dict()}

    def whole(self) -> dict[str, Any]:
        """Return the JSON object with all that is known, also the curves of some children."""
        shown = self._sweep_to_dict()
        best = shown["sweep"]["best"]
        having = [each for each in self._sorted() if self._metric in each.metrics]
        first = sorted(having, key=lambda each: each.number != best)[:_CURVES]
        curves = {each.place: list(self._curve(each)) for each in first}
        for each in shown["sweep"]["runs"]:
            each["curve"] = curves.get(each["place"], [])
        return {**self.report.whole(), **shown}

    def _curve(self, child: Child) -> Iterator[tuple[int, float]]:
        """Yield the values of the metric by their number, as the steps of a child reported it."""
        if child.number is not None:
            for step in record_of(self.journal, child.number).steps:
                if metric := step.metrics.get(self._metric):
                    for each in metric.points:
                        if isinstance(each.value, int | float):
                            yield each.number, each.value

    def _sweep_to_dict(self) -> dict[str, Any]:
        name = self._metric
        best = self._best_child
        return {
            "sweep": {
                "over": {name: list(each) for name, each in self.sweep.sweep.grid.over.items()},
                "sample": self.sweep.sweep.grid.sample,
                "seed": self.sweep.sweep.grid.seed,
                "max_failed": self.sweep.sweep.max_failed,
                "metric": name or None,
                "best": None if best is None else best.number,
                "runs": [self._child_to_dict(each) for each in self._sorted()],
            },
        }

    def lines(self, style: Style) -> Iterator[str]:
        """Yield the lines for people."""
        yield from self.report.above(style, with_params=False)
        yield from facts(*self._about())
        children = self._sorted()
        shown = children if self.everything or len(children) <= _FULL else children[: _FULL - 1]
        yield from self._table(shown, style)
        if len(shown) < len(children):
            yield f"... and {len(children) - len(shown)} more (--all)"
        yield from self._failures(style)
        yield from self.report.below(style)

    def csv(self) -> str:
        """Return a line for each child, with a head, as comma-separated values."""
        written = io.StringIO()
        over, metrics = list(self.sweep.sweep.grid.over), self.sweep.metrics
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(["run", *over, "state", "took", *metrics, "error"])
        for each in self._sorted():
            took = "" if each.status is None else each.status.spent()[0]
            writer.writerow(
                [
                    each.number or "",
                    *(_cell(each.point[name]) for name in over),
                    each.state,
                    took,
                    *(each.metrics.get(name, "") for name in metrics),
                    each.error or "",
                ]
            )
        return written.getvalue()

    def check_metric(self) -> None:
        """Check that there is a metric to sort by, or to find the best one of.

        Raises:
            NotFoundError: No child has reported it.
        """
        name = self._metric
        known = self.sweep.metrics
        if (self.sort or self.best) and name not in known:
            hint = did_you_mean(name, known) or f"there are: {', '.join(known) or 'none yet'}"
            raise NotFoundError(f"no run of this sweep has the metric '{name}'", ways_out=(hint,))

    @property
    def _metric(self) -> str:
        """The metric by which children are compared."""
        first = [*self.sweep.higher_is_better, *self.sweep.metrics, ""][0]
        return self.best.partition(":")[2] or self.sort.lstrip("+-") or first

    def _is_higher(self, name: str) -> bool | None:
        """Return whether a higher value of a metric is better; None if nobody has said so."""
        if self.best.partition(":")[2] == name:
            return self.best.startswith("max:")
        if self.sort[:1] in ("+", "-") and self.sort[1:] == name:
            return self.sort.startswith("+")
        return self.sweep.higher_is_better.get(name)

    @property
    def _best_child(self) -> Child | None:
        name = self._metric
        known = [each for each in self._ranked(name) if each.state == "completed"]
        return known[0] if len(known) > 1 and self._is_higher(name) is not None else None

    def _ranked(self, name: str) -> list[Child]:
        """Return the children that have a metric, the best first, or that with the greatest."""
        known = [each for each in self.sweep.children if name in each.metrics]
        sign = 1 if self._is_higher(name) is False else -1
        return sorted(known, key=lambda each: sign * each.metrics[name])

    def _sorted(self) -> list[Child]:
        if not self.sort:
            return list(self.sweep.children)
        known = self._ranked(self.sort.lstrip("+-"))
        places = {each.place for each in known}
        return [*known, *(each for each in self.sweep.children if each.place not in places)]

    def _child_to_dict(self, child: Child) -> dict[str, Any]:
        return {
            "place": child.place,
            "point": dict(child.point),
            "metrics": dict(child.metrics),
            "error": child.error,
            "run": None if child.status is None else run_to_dict(child.status),
            "state": child.state,
        }

    def _about(self) -> list[str]:
        counted = Counter(each.state for each in self.sweep.children)
        states = [f"{count} {state}" for state, count in counted.items()]
        grid = self.sweep.sweep.grid
        drawn = f", drawn from {grid.whole:,} with seed {grid.seed}" * (grid.count < grid.whole)
        return [f"sweep of {plural(grid.count, 'run')}{drawn}", *states]

    def _table(self, children: Sequence[Child], style: Style) -> Iterator[str]:
        over, width = list(self.sweep.sweep.grid.over), terminal_width()
        short = _short_names(over)
        shown = self._shown_metrics(children, width)
        best, metric = self._best_child, self._metric
        head: list[Column] = [
            _counts("RUN"),
            *(Column(name=short[name]) for name in over),
            _counts("STATE"),
            _counts("TOOK"),
            *(_counts(name) for name in shown),
            *[Column(name="", wraps=True, enough=28)] * (best is not None),
        ]
        rows: list[list[str]] = []
        for each in children:
            mark = f"best {metric}" if best is not None and each.place == best.place else ""
            rows.append(
                [
                    str(each.number or "-"),
                    *(value_text(each.point[name]) for name in over),
                    each.state,
                    "-" if each.status is None else seconds(each.status.spent()[0]),
                    *(_number_text(each.metrics.get(name)) for name in shown),
                    *[mark] * (best is not None),
                ]
            )
        states = [_STATES.get(each.state, "bold") for each in children]
        place = 1 + len(over)
        table = Listing(head=head, rows=rows, dims_head=True, styles=states, styled=place)
        yield from table.lines(style)
        hidden = [name for name in self.sweep.metrics if name not in shown]
        if hidden:
            told = listed(hidden, room=max(width - 40, 24))
            yield f"+ {plural(len(hidden), 'metric')}: {told} (--csv)"

    def _shown_metrics(self, children: Sequence[Child], width: int) -> list[str]:
        """Return the metrics for which there is room, that of the comparison first."""
        metric = self._metric
        wanted = sorted(self.sweep.metrics, key=lambda name: name != metric)
        over = list(self.sweep.sweep.grid.over)
        short = _short_names(over)
        room = width - 10 - max((columns(each.state) for each in children), default=0) - 10
        for name in over:
            cells = (columns(value_text(each.point[name])) for each in children)
            room -= 2 + max(columns(short[name]), *cells, 0)
        room -= 2 + columns(f"best {metric}")
        shown: list[str] = []
        for name in wanted:
            cells = (columns(_number_text(each.metrics.get(name))) for each in children)
            room -= 2 + max(columns(name), *cells, 0)
            if room < 0 and shown:
                break
            shown.append(name)
        return shown

    def _failures(self, style: Style) -> Iterator[str]:
        failed = [each for each in self.sweep.children if each.error]
        for each in failed if self.everything else failed[:_FAILED]:
            mark = style("✗", "red")
            limit = 500 if self.everything else _LONGEST
            yield f"{mark} {each.name}: {one_line(each.error or '', limit=limit)}"
        if len(failed) > _FAILED and not self.everything:
            yield f"  and {len(failed) - _FAILED} more failed (--all)"
        number = next((each.number for each in failed if each.number is not None), None)
        if number is not None:
            yield f"  full    {command_line(f'show {number} --traceback')}"


def with_runs(request: ShowRequest) -> ShowRequest:
    """Return the request to show the runs of a sweep, side by side, instead of its one step.

    Raises:
        NotFoundError: There is no such metric.
    """
    record, values, report = request.records[0], request.values, request.report
    sweep = None if record.damage else sweep_record(request.journal, record.row)
    if sweep is None or not isinstance(report, RunReport):
        return request
    compared = SweepReport(
        report=report,
        sweep=sweep,
        journal=request.journal,
        sort=values.get("sort") or "",
        best=values.get("best") or "",
        everything=values["everything"],
    )
    compared.check_metric()
    request = replace(request, report=compared)
    if not values.get("csv"):
        return request

    def written(request: ShowRequest) -> int:
        for line in compared.csv().splitlines():
            request.session.console.print(line)
        return ExitCode.DONE

    return replace(request, carry_out=written)


def _counts(heading: str) -> Column:
    """Return a column of texts that are never cut."""
    return Column(name=heading, cut="")


def _short_names(names: Sequence[str]) -> Mapping[str, str]:
    """Return params without what stands before the last dot, where that names one of them."""
    ends = Counter(name.rpartition(".")[2] for name in names)
    return {name: end if ends[end := name.rpartition(".")[2]] == 1 else name for name in names}


def _number_text(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else value_text(value)
