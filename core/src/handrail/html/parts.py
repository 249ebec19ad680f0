"""Small parts that views have in common: facts, commands, times, links and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from handrail.html.elements import Content, Markup, element, joined

Link = Callable[[int], str]
"""Returns the address of the page of a run, by its number."""

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


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Return names with their values; those that are None or empty are left out."""
    items = [
        (element("dt", name), element("dd", value))
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


def left_out(count: int, noun: str, words: str) -> Markup | None:
    """Return how many things are left out, and the command that shows all; None for none."""
    if count <= 0:
        return None
    return element("p", f"and {count:,} more {noun}: ", command(words), class_="muted small")


def origin_text(origin: Mapping[str, Any] | None) -> str:
    """Return who a step or a layer came from, such as `acme-scan 1.4.0`."""
    origin = origin or {}
    if origin.get("pack"):
        return f"{origin['pack']} {origin.get('version') or ''}".strip()
    file, line = origin.get("file"), origin.get("line")
    return f"{file}:{line}" if file and line else file or origin.get("module") or "unknown"


def heads(*names: str, classes: Mapping[str, str] | None = None) -> Markup:
    """Return the head of a table, from the names of its columns.

    Args:
        names: The names; one that begins with a dot is only for those who do not see the table.
        classes: The class of each column that has one, by its name.
    """
    given = classes or {}
    cells = [
        element(
            "th", hidden(name[1:]) if name[:1] == "." else name, scope="col", class_=given.get(name)
        )
        for name in names
    ]
    return element("thead", element("tr", cells))


def scrolling(content: Content, says: str) -> Markup:
    """Return something wide in a region that can be scrolled, also by keyboard."""
    return element("div", content, class_="scroll", role="region", aria_label=says, tabindex=0)


def hidden(words: str) -> Markup:
    """Return words for those who do not see the page."""
    return element("span", words, class_="unseen")
