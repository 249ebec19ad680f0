"""What steps attached to a run: plots, tables, texts and pictures, each with its file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from handrail.redact import HIDDEN, shown_text
from handrail_report.charts import plot
from handrail_report.shown import Shown, parts, short_number
from handrail_report.templates import render

_MOST_ROWS = 100

_ROOM = 2_000_000
"""Letters of all attachments of a report: pictures are long."""

_LEVEL = 3  # The level of what the first headings of a text are below.


def attachments_of(steps: Sequence[Shown]) -> list[dict[str, Any]]:
    """Return what each step attached, as figures; and how many there is no room for.

    Args:
        steps: The steps in their JSON form.
    """
    room = _ROOM
    found: list[dict[str, Any]] = []
    for step in steps:
        kept = parts(step, "attachments")
        shown: list[Markup] = []
        for each in kept:
            if each.get("value") is not None and len(drawn := _figure(step, each)) <= room:
                room -= len(drawn)
                shown.append(drawn)
        if kept:
            found.append(
                {
                    "step": step["name"],
                    "names": [each["name"] for each in kept],
                    "figures": shown,
                    "left": len(kept) - len(shown),
                }
            )
    return found


def _figure(step: Shown, attachment: Shown) -> Markup:
    name, kind, value = attachment["name"], attachment["type"], attachment["value"]
    drawn: dict[str, Any] = {}
    media, content = "application/json", ""
    if kind == "plot":
        media, content = "text/csv", _csv(("series", "x", "y"), _pairs(value["series"]))
        drawn["plot"] = _plot(value.get("title") or name, value)
    elif kind == "table":
        media, content = "text/csv", _csv(value["columns"], value["rows"])
        drawn |= _table(value)
    elif kind == "markdown":
        media, content = "text/markdown", value["text"]
        drawn["text"] = markdown(content)
    elif kind == "picture":
        media = value["media_type"]
        drawn["picture"] = f"data:{media};base64,{value['data']}"
    else:  # Of a pack.
        content = json.dumps(value)
    return render(
        "attachment.html",
        step=step["name"],
        name=name,
        kind=kind,
        title=value.get("title") or name,
        alt=value.get("alt"),
        media=media,
        content=content,
        drawn=drawn,
    )


def _plot(title: str, value: Shown) -> Markup:
    series, y = value["series"], str(value.get("y") or "")
    return plot(
        value["kind"],
        series,
        says=f"{title}: {y or ', '.join(list(series)[:6])}",
        x=str(value.get("x") or ""),
        y=y,
        log_x=bool(value.get("log_x")),
        log_y=bool(value.get("log_y")),
    )


def _table(value: Shown) -> dict[str, Any]:
    columns, rows = value["columns"], value["rows"]
    return {
        "columns": columns,
        "numbers": [
            column
            for place, column in enumerate(columns)
            if rows and all(isinstance(row[place], int | float | None) for row in rows)
        ],
        "rows": [list(map(_cell, row)) for row in rows[:_MOST_ROWS]],
        "more": (value.get("total") or len(rows)) - min(len(rows), _MOST_ROWS),
    }


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return short_number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)[:1000]


def _pairs(series: Mapping[str, Sequence[tuple[object, object]]]) -> Iterable[Sequence[object]]:
    return ((name, *pair) for name, pairs in series.items() for pair in pairs)


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    writer.writerows(rows)
    return written.getvalue()


def markdown(source: str) -> Markup:
    """Return Markdown as HTML; what looks like HTML is shown as it was written."""
    tokens = _parser().parse(shown_text(source))
    for token in chain(tokens, *(token.children or () for token in tokens)):
        # Once more, as a text can name each character by its number; not in HTML, where a password
        # could seem to go on behind the end of an address.
        token.content, token.info = shown_text(token.content), ""
        token.attrs = {name: shown_text(value) for name, value in token.attrs.items()}
        # The policies of reports and pages refuse styles.
        if token.attrs.pop("style", "") == "text-align:right":
            token.attrs["class"] = "number"
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + _LEVEL, 6)}"
    return Markup(_parser().renderer.render(tokens, _parser().options, {}))


@cache
def _parser() -> MarkdownIt:
    return _Parser("commonmark", {"html": False}).enable("table").disable("image")


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - its name there
        """Return whether an address is that of a web site."""
        # One with odd characters, or with a secret, would lead elsewhere.
        plain = url.isascii() and url.isprintable() and HIDDEN not in url
        return plain and url.startswith(("https://", "http://"))
