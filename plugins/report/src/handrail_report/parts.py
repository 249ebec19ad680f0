"""Small parts that views have in common: facts, commands, times, links and what is left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from markupsafe import Markup

from handrail.amounts import seconds
from handrail_report.elements import Content, element, joined
from handrail_report.shown import Link

_LONG = 300  # Letters of a value that are shown at once.
_LONGEST = 20_000


def section(name: str, title: str, *content: Content, more: str = "") -> Markup:
    """Return a section with a heading.

    Args:
        name: Its id, by which others link to it, or replace it.
        title: Its heading.
        content: What is below it.
        more: What stands beside the heading.
    """
    beside = element("small", f" {more}") if more else None
    heading = element("h2", title, beside, id=f"{name}-title")
    return element("section", heading, content, id=name, aria_labelledby=f"{name}-title")


def headline(title: str, beside: Content = None, *content: Content) -> Markup:
    """Return the first section of a page, which has its title and what matters most."""
    head = element("div", element("h1", title, id="outcome-title"), beside, class_="title")
    return element("section", head, content, id="outcome", aria_labelledby="outcome-title")


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Return names with their values; those that are None or empty are left out."""
    items = [
        element("div", element("dt", name), element("dd", value))
        for name, value in pairs
        if value not in (None, "", [])
    ]
    return element("dl", items, class_="facts")


def command(words: str) -> Markup:
    """Return a command that can be copied with one click."""
    return element("code", words, class_="command")


def moment(text: str | None) -> Markup | None:
    """Return a time of a journal for people, in UTC."""
    if not text:
        return None
    shown = f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return element("time", shown, datetime=text)


def run_link(number: int, link: Link | None, before: str = "") -> Markup:
    """Return the number of a run, with a link to it where there are pages of runs."""
    shown = f"{before}{number}"
    return joined(shown) if link is None else element("a", shown, href=link(number))


def value(given: object) -> Content:
    """Return a value of a param or of a result; a long one can be opened."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    if len(text) <= _LONG:
        return element("code", text)
    whole = text[:_LONGEST] + "…" * (len(text) > _LONGEST)
    return opened(joined(element("code", f"{text[:_LONG]}…")), element("pre", whole))


def opened(summary: Content, *content: Content, at_once: bool = False) -> Markup:
    """Return something that opens on demand, without a script.

    Args:
        summary: What is always shown.
        content: What is shown when it is open.
        at_once: Whether it is open from the start.
    """
    return element("details", element("summary", summary), content, open=at_once)


def failure(name: str, error: str, traceback: str | None = None) -> Markup:
    """Return why something failed, as an item of a list."""
    trace = opened("Traceback", element("pre", traceback[-4000:])) if traceback else None
    return element("li", f"{name}: ", element("span", error[:1000], class_="error"), trace)


def left_out(count: int, noun: str, words: str = "") -> Markup | None:
    """Return how many things are left out, and the command that shows all; None for none."""
    if count <= 0:
        return None
    shows = (": ", command(words)) if words else None
    return element("p", f"and {count:,} more {noun}", shows, class_="muted small")


def origin_text(origin: Mapping[str, Any] | None) -> str:
    """Return who a step or a layer came from, such as `acme-scan 1.4.0`."""
    origin = origin or {}
    if origin.get("pack"):
        return f"{origin['pack']} {origin.get('version') or ''}".strip()
    file, line = origin.get("file"), origin.get("line")
    return f"{file}:{line}" if file and line else file or origin.get("module") or "unknown"


def table(
    names: Sequence[str],
    rows: Iterable[Sequence[Content]],
    *,
    says: str,
    numbers: Collection[str] = (),
    ids: Iterable[str | None] = repeat(None),
    class_: str | None = None,
) -> Markup:
    """Return a table; one that is too wide can be scrolled.

    Args:
        names: The names of the columns.
        rows: The cells of each row, the first of which says what the row is about.
        says: What the table is.
        numbers: The columns that have numbers.
        ids: The id of each row, by which others link to it.
        class_: The class of the table.
    """
    kinds = ["number" if name in numbers else None for name in names]
    heads = [
        element("th", name, scope="col", class_=kind)
        for name, kind in zip(names, kinds, strict=True)
    ]
    lines: list[Markup] = []
    for row, each in zip(rows, ids, strict=False):
        cells = [
            element("td", cell, class_=kind)
            if place
            else element("th", cell, scope="row", class_=kind)
            for place, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        ]
        lines.append(element("tr", cells, id=each))
    content = (element("thead", element("tr", heads)), element("tbody", lines))
    return scrolling(element("table", content, class_=class_), says)


def named(name: str) -> Markup:
    """Return the name of something, such as a step or a pack."""
    return element("span", name, class_="name")


def figure(title: str, content: Content, about: str = "") -> Markup:
    """Return a picture, a table or a text with a title."""
    caption = element("figcaption", element("strong", title), about)
    return element("figure", caption, content)


def figures(some: Sequence[Content]) -> Markup | None:
    """Return figures beside each other, as many as there is room for; None if there are none."""
    return element("div", some, class_="figures") if some else None


def scrolling(content: Content, says: str) -> Markup:
    """Return something wide in a region that can be scrolled, also by keyboard."""
    return element("div", content, class_="scroll", role="region", aria_label=says, tabindex=0)


def counted(states: Iterable[str]) -> str:
    """Return how many there are of each state: `3 done, 1 failed`."""
    return ", ".join(f"{count:,} {state}" for state, count in Counter(states).items())


def owner_text(owner: Mapping[str, Any]) -> str:
    """Return for whom and on which machine a run is worked on, as far as it is known."""
    return " on ".join(str(owner[name]) for name in ("user", "host") if owner.get(name))


def took_text(run: Mapping[str, Any]) -> str:
    """Return how long a run took, and its undo if there was one."""
    undo = f", undo {seconds(run['undo_took'])}" if run["undo_took"] else ""
    return f"{seconds(run['took'])}{undo}"


def exception(steps: Sequence[str]) -> str:
    """Return ` except a, b`, for steps that an undo does not take back; empty if there are none."""
    names = ", ".join([*steps[:3], *["..."] * (len(steps) > 3)])
    return f" except {names}" if steps else ""


def hidden(words: str) -> Markup:
    """Return words for those who do not see the page."""
    return element("span", words, class_="unseen")
