"""The report of several runs, as `handrail show` prints it: side by side, with what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from handrail.amounts import seconds
from handrail.builtin.cli.view.run_report import RunReport
from handrail.builtin.cli.view.run_text import STYLES, parse_time
from handrail.builtin.cli.view.table import Style, names, reasons, table
from handrail.builtin.cli.view.text import command_line, folded, one_line, terminal_width
from handrail.builtin.records.comparison import comparison_of

_NAME, _RUN = 26, 22  # Columns of the terminal for what is compared, and for each run.
_MOST = 20  # Rows of each kind.
_VALUE = 60  # Letters of a value.
_ABOUT = ("action", "plan", "core_version", "by", "folder", "project")
_TIMES = ("started", "took", "undo took")  # They only look the same by chance.
_NAMES = {"core_version": "handrail", "undo_took": "undo took", "folder": "in"}


class CompareReport:
    """The report of several runs.

    Args:
        reports: The reports of the runs.
        everything: Whether to show everything, however long.
        as_html: Whether an installed pack writes it as HTML.
    """

    def __init__(
        self, reports: Sequence[RunReport], *, everything: bool = False, as_html: bool = False
    ) -> None:
        self._reports = reports
        self._everything = everything
        self._as_html = as_html

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
        rows = list(self._rows(runs))
        same = [row for row in rows if row[0] not in _TIMES and len({*row[1:]}) == 1]
        told = [row for row in rows if row not in same]
        fit = max((terminal_width() - _NAME) // _RUN, 1)
        for first in range(0, len(runs), fit):
            if first:
                yield ""
            yield from _block(runs, told, slice(first, first + fit), style)
        if same:
            shared = ", ".join(f"{name} {value}" for name, value, *_ in same)
            yield from folded(f"  same    {shared}")
        if self._as_html:
            numbers = " ".join(str(run["id"]) for run in runs)
            yield f"  see     {command_line(f'show {numbers} --html -o report.html')}"

    def _rows(self, runs: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[str] | str]:
        """Yield the name and the values of what is compared, or how much more there is."""
        differs = self._compared["differs"]
        yield ("state", *(run["state"] for run in runs))
        yield ("started", *(_started(run["started"]) for run in runs))
        for name in ("took", "undo_took"):
            if name in differs:
                yield (_NAMES.get(name, name), *map(seconds, differs[name]))
        for name in _ABOUT:
            if name in differs:
                shown = [_text(each) for each in differs[name]]
                yield (_NAMES.get(name, name), *(x[:8] if name == "plan" else x for x in shown))
        for kind in ("params", "packs", "metrics", "items", "steps"):
            yield from self._kind(kind, differs.get(kind, {}))

    def _kind(self, kind: str, values: Mapping[str, Any]) -> Iterator[Sequence[str] | str]:
        most = len(values) if self._everything else _MOST
        for name, each in list(values.items())[:most]:
            shown = _step_texts(each) if kind == "steps" else [_text(one, kind) for one in each]
            yield (f"{kind.removesuffix('s')} {name}", *shown)
        if len(values) > most:
            yield f"... and {len(values) - most} more {kind} (--all)"


def _block(
    runs: Sequence[Mapping[str, Any]],
    rows: Sequence[Sequence[str] | str],
    places: slice,
    style: Style,
) -> Iterator[str]:
    """Yield the lines of some of the runs side by side."""
    shown = runs[places]
    head = [names(""), *(reasons(f"RUN {run['id']}") for run in shown)]
    body = [row if isinstance(row, str) else (row[0], *row[1:][places]) for row in rows]

    def paint(row: int, column: int, text: str) -> str:
        if not column:
            return style(text, "dim")
        return style(text, STYLES.get(text, "bold")) if body[row][0] == "state" else text

    first, *rest = table(head, body, width=terminal_width(), paint=paint)
    yield from (style(line, "dim") for line in first)
    for lines in rest:
        yield from lines


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
