"""The report of several runs, as `handrail show` prints it: side by side, with what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from handrail.amounts import seconds
from handrail.builtin.cli.view.run_report import RunReport
from handrail.builtin.cli.view.run_text import STYLES, parse_time
from handrail.builtin.cli.view.table import Row, Style, names, reasons, table
from handrail.builtin.cli.view.text import command_line, one_line, terminal_width
from handrail.builtin.records.comparison import comparison_of

_NAME, _RUN = 26, 22  # Columns of the terminal for what is compared, and for each run.
_MOST = 20  # Rows of each kind.
_VALUE = 60  # Letters of a value.
_ABOUT = ("action", "plan", "core_version", "by", "folder", "project")
_NAMES = {"core_version": "handrail", "undo_took": "undo took", "folder": "in"}


class CompareReport:
    """The report of several runs.

    Args:
        reports: The reports of the runs.
        everything: Whether to show everything, however long.
    """

    def __init__(self, reports: Sequence[RunReport], *, everything: bool = False) -> None:
        self._reports = reports
        self._everything = everything

    @cached_property
    def _compared(self) -> Mapping[str, Any]:
        return self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for programs."""
        return _with_differences([report.to_dict() for report in self._reports])

    def whole(self) -> dict[str, Any]:
        """Return the JSON object with all that is known of each run."""
        return _with_differences([report.whole() for report in self._reports])

    def lines(self, style: Style) -> Iterator[str]:
        """Yield the lines for people; of more runs than fit, some below the others."""
        runs = [each["run"] for each in self._compared["runs"]]
        fit = max((terminal_width() - _NAME) // _RUN, 1)
        for first in range(0, len(runs), fit):
            if first:
                yield ""
            yield from self._block(range(first, min(first + fit, len(runs))), style)
        numbers = " ".join(str(run["id"]) for run in runs)
        yield f"  see     {command_line(f'show {numbers} --html report.html')}"

    def _block(self, places: range, style: Style) -> Iterator[str]:
        runs = [each["run"] for each in self._compared["runs"]]
        head = [names(""), *(reasons(f"RUN {runs[place]['id']}") for place in places)]
        rows = list(self._rows(places))

        def paint(row: int, column: int, text: str) -> str:
            if row == 0 and column:
                return style(text, STYLES.get(runs[places[column - 1]]["state"], "bold"))
            return style(text, "dim") if not column else text

        first, *rest = table(head, rows, width=terminal_width(), paint=paint)
        yield from (style(line, "dim") for line in first)
        for lines in rest:
            yield from lines

    def _rows(self, places: range) -> Iterator[Row]:
        runs, differs = self._compared["runs"], self._compared["differs"]

        def row(name: str, values: Sequence[str]) -> Row:
            return (_NAMES.get(name, name), *(values[place] for place in places))

        yield row("state", [each["run"]["state"] for each in runs])
        yield row("started", [_started(each["run"]["started"]) for each in runs])
        for name in ("took", "undo_took"):
            if name in differs:
                yield row(name, [seconds(each) for each in differs[name]])
        for name in _ABOUT:
            if name in differs:
                shown = [_text(each) for each in differs[name]]
                yield row(name, [each[:8] for each in shown] if name == "plan" else shown)
        for kind in ("params", "packs", "metrics", "items", "steps"):
            yield from self._kind(kind, differs.get(kind, {}), row)

    def _kind(self, kind: str, values: Mapping[str, Any], row: Any) -> Iterator[Row]:
        most = len(values) if self._everything else _MOST
        for name, each in list(values.items())[:most]:
            shown = _step_texts(each) if kind == "steps" else [_text(one, kind) for one in each]
            yield row(f"{kind.removesuffix('s')} {name}", shown)
        if len(values) > most:
            yield f"... and {len(values) - most} more {kind} (--all)"


def _with_differences(shown: list[dict[str, Any]]) -> dict[str, Any]:
    return {"runs": shown, "differs": comparison_of(shown)}


def _started(time: str | None) -> str:
    return f"{parse_time(time):%Y-%m-%d %H:%M:%S}" if time else "-"


def _step_texts(step: Mapping[str, Sequence[Any]]) -> list[str]:
    return [
        "not in its plan"
        if state is None
        else state + ("" if took is None else f" {seconds(took)}")
        for state, took in zip(step["state"], step["took"], strict=True)
    ]


def _text(value: object, kind: str = "") -> str:
    if value is None:
        return "default" if kind == "params" else "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return one_line(text, limit=_VALUE)
