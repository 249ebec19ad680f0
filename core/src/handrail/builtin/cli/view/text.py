"""Text for people: cut to the width of a terminal, with the commands that it proposes."""

from __future__ import annotations

import re
import shlex
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import click

from handrail.amounts import plural
from handrail.builtin.cli.view.console import terminal_columns, unstyled
from handrail.redact import KNOWN, shown_text

if TYPE_CHECKING:
    from handrail import Plan

WIDTH = 100
"""Columns of lines that go to a file or a pipe."""

AT_THE_END = "at the end"
"""The heading of the steps of a chain that always run."""

_MARKS = "✓✗↶▸◂└┌│·…█░"
_COMMAND = re.compile(r"(^|: +| {2,})handrail ")  # Else it is the name in a sentence.
_LEAST = 20  # Columns that are assumed at least; narrower terminals break lines themselves.


def terminal_width(default: int = WIDTH) -> int:
    """Return the columns of the terminal that standard output goes to, or of what COLUMNS says.

    Args:
        default: The columns if there is neither.
    """
    return max(terminal_columns(sys.__stdout__, default), _LEAST)


def shown(text: str) -> str:
    """Return `text` as the console writes it; what is cut before has no part of a secret left."""
    return shown_text(text, one_line=True)


def columns(text: str) -> int:
    """Return the number of terminal columns of `text`, as it is shown."""
    text = unstyled(shown(text))
    if text.isascii():
        return len(text)
    return sum(_columns_of(letter) for letter in text)


def _columns_of(letter: str) -> int:
    # Below these, and among marks such as these, all take one.
    if letter < "\u0300" or letter in _MARKS:
        return 1
    # Marks, and characters that only change how others look.
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return the part of `text`, as it is shown, that fits into `width` columns."""
    text = shown(text)
    if columns(text) <= width:
        return text
    left = width
    for place, letter in enumerate(text):
        left -= _columns_of(letter)
        if left < 0:
            return text[:place]
    return text


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` columns, with a mark if it is cut."""
    text = shown(text)
    return text if columns(text) <= width else cut(text, width - 1) + "…"


def shorten_start(text: str, width: int) -> str:
    """Return the end of `text` in at most `width` columns, with a mark if it is cut."""
    text = shown(text)
    if columns(text) <= width:
        return text
    return "…" + cut(text[::-1], width - 1)[::-1]


def wrapped(text: str, width: int, *, indent: str = "") -> list[str]:
    """Return the lines of `text`, of at most `width` columns each; words stay whole if they fit.

    Args:
        text: The text.
        width: Columns of a line.
        indent: What lines after the first begin with.
    """
    lines, begin = list[str](), text[: min(len(text) - len(text.lstrip(" ")), width // 2)]
    line = begin
    for word in text.lstrip(" ").split(" "):
        longer = f"{line} {word}" if line.strip() else line + word
        if columns(longer) <= width:
            line = longer
            continue
        if line.strip():
            lines.append(line.rstrip(" "))
            line = indent
        *parts, last = _broken(word, width - max(len(line), len(indent)))
        lines += [line + parts[0], *(indent + part for part in parts[1:])] if parts else []
        line = (indent if parts else line) + last
    return [*lines, line]


def _broken(word: str, width: int) -> list[str]:
    """Return the parts of a word that is wider than a line; paths break behind their signs."""
    parts, word = list[str](), shown(word)
    while columns(word) > width:
        part = cut(word, width)
        at = 1 + max(part.rfind(sign) for sign in "/,(:")
        # A letter may be wider than the line.
        part = part[:at] if at > len(part) // 3 else part or word[0]
        parts.append(part)
        word = word.removeprefix(part)
    return [*parts, word]


def folded(line: str, stream: TextIO | None = None, *, head: str = "") -> list[str]:
    """Return a line in as many lines as the terminal needs for it; in one, where there is none.

    Commands stay on one line, so that they can be copied.

    Args:
        line: The line.
        stream: Where it goes; by default, standard output.
        head: What stands before the line; further ones are indented by its width.
    """
    stream = sys.__stdout__ if stream is None else stream
    width = max(terminal_columns(stream, sys.maxsize), _LEAST)
    if "\n" in line or columns(head + line) <= width:
        return [head + line]
    line = shown(line)
    if not head.strip(" "):  # Only an indent, of which as much is kept as leaves room for a text.
        head, line = "", head + line
    if columns(head) > width // 2:  # There is more room below it.
        below = " " * (len(head) - len(head.lstrip(" ")) + 4)
        return [*folded(head.rstrip(" "), stream), *folded(below + line, stream)]
    # Something fits beside the indent, also if that is wider than the terminal.
    indent = " " * min(columns(head) or len(line) - len(line.lstrip(" ")), width // 2)
    room = width - len(indent)
    pieces: list[str] = []
    for part in joined(line.lstrip(" ").split(" · "), room, indent="  "):
        found = _COMMAND.search(part)
        if found is None or columns(part) <= room:
            pieces += wrapped(part, room, indent="  ")
        elif found[1].startswith(":"):
            before, command = part[: found.start() + 1], part[found.end(1) :]
            pieces += [*wrapped(before, room, indent="  "), f"  {command}"]
        else:
            pieces.append(part)
    first, *rest = pieces
    return [(head or indent) + first, *(indent + piece for piece in rest)]


def facts(*parts: str) -> list[str]:
    """Return short texts in as few lines as they fit into; those after the first are indented."""
    return joined([shown(part) for part in parts], terminal_width(), indent="  ")


def joined(parts: Sequence[str], width: int, *, indent: str = "") -> list[str]:
    """Return short texts in as few lines of `width` columns as they fit into; each stays whole.

    Args:
        parts: The texts.
        width: Columns of a line.
        indent: What lines after the first begin with.
    """
    lines = list(parts[:1])
    for part in parts[1:]:
        longer = f"{lines[-1]} · {part}"
        if columns(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(indent + part)
    return lines


def listed(names: Sequence[str], *, room: int, longest: int = 32) -> str:
    """Return as many names as fit, and the number of the others."""
    text, shown = "", 0
    for name in names:
        longer = f"{text}, {shorten(name, longest)}" if shown else shorten(name, longest)
        more = len(names) - shown - 1
        tail = f" and {more} more" if more else ""
        if shown and columns(longer + tail) > room:
            break
        text, shown = longer, shown + 1
    rest = len(names) - shown
    return f"{text} and {rest} more" if rest else text


def steps_of(plan: Plan) -> str:
    """Return the count of the steps of a plan, and of its actions: `21 steps in 3 actions`."""
    runs = sum(1 for planned in plan.steps if planned.inner is not None and planned.inner.steps)
    actions = f" in {plural(runs, 'action')}" if runs else ""
    return f"{plural(plan.size, 'step')}{actions}"


def one_line(text: str, *, limit: int = 500) -> str:
    """Return `text` on one line, shortened if it is long."""
    text = KNOWN(text)
    flat = " ".join(text.split()) if "\n" in text or "\t" in text else text
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def group_mark(name: str) -> str:
    """Return what stands above the steps of a group."""
    return f"┌ {name}"


def lanes_of(lanes: int, limit: int | None = None) -> str:
    """Return how many lanes there are, and how many of them run at a time, if not all."""
    some = "" if limit is None or limit >= lanes else f", {limit} at a time"
    return f"{plural(lanes, 'lane')}{some}"


def lane_mark(lane: int | None, lanes: int) -> str:
    """Return what stands before a step of a lane: `│ 1 `; nothing before other steps.

    Args:
        lane: Number of the lane, from 0; None for a step outside groups.
        lanes: The number of lanes of the group, as wide as which all numbers are.
    """
    return "" if lane is None else f"│ {lane + 1:>{len(str(lanes))}} "


def command_line(words: str) -> str:
    """Return `handrail` followed by `words`, and by `--journal URL` if this call was given one.

    A journal from a variable or the project is left out: the next call finds it by itself.
    """
    context = click.get_current_context(silent=True)
    url: str | None = None if context is None else context.params.get("journal")
    return f"handrail {words} --journal {shlex.quote(url)}" if url else f"handrail {words}"


def lines_of(text: str, indent: str = "  ") -> list[str]:
    """Return the lines of a text that is not ours, such as a traceback, as they are shown.

    Args:
        text: The text.
        indent: What every line but an empty one begins with, so that none looks like one of ours.
    """
    lines = shown_text(text).split("\n")
    return [f"{indent}{line}" if line else line for line in lines]
