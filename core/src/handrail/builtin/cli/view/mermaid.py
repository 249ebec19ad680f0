"""A plan as a flowchart in the language of Mermaid, which GitHub and many wikis draw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from handrail import Plan
from handrail.builtin.cli.view.plan_boxes import StepBox, StepsBox, boxes_of
from handrail.redact import shown_text

if TYPE_CHECKING:
    from handrail.builtin.cli.view.plan_boxes import Box

# Letters of a line of a box, as they are written: a chart may have 50,000 of them, and 500 arrows.
_LONGEST = 90

# Mermaid reads some characters as markup, and some texts as lists, wherever they stand.
_MARKUP = re.compile(
    r"[^\w .,:/()·…+-]"  # What is neither a letter nor harmless,
    r"|^[^A-Za-z]"  # the beginning of a list, such as `1.`,
    r"|(?<![^\W_])_|_(?![^\W_])"  # and an underscore that is not within a word.
)


def mermaid(value: object) -> str | None:
    """Return a plan as a flowchart in the language of Mermaid; None for another value."""
    return flowchart(value.to_dict()) if isinstance(value, Plan) else None


def flowchart(plan: Mapping[str, Any]) -> str:
    """Return a plan as a flowchart.

    Of a plan of more than 100 steps some share a box, as in its picture.

    Args:
        plan: The plan as `Plan.to_dict` returns it, or as it was recorded.
    """
    ordinary, always = boxes_of(plan)
    chart = _Chart()
    lines = ["flowchart TB", *chart.sequence((*ordinary, *always), "  ")]
    return "\n".join(lines) + "\n"


class _Chart:
    """Writes boxes and frames, each with an id of its own."""

    def __init__(self) -> None:
        self._ids = 0

    def sequence(self, items: Sequence[Box], indent: str) -> Iterator[str]:
        """Yield the lines for items that follow each other."""
        ids: list[str] = []
        for item in items:
            self._ids += 1
            ids.append(f"n{self._ids}")
            yield from self._item(item, ids[-1], indent)
        # From frame to frame, as arrows between all their lanes could be too many.
        yield from (f"{indent}{before} --> {after}" for before, after in pairwise(ids))

    def _item(self, item: Box, name: str, indent: str) -> Iterator[str]:
        if isinstance(item, StepsBox):
            yield f"{indent}{name}[[{_label(item.name, item.place)}]]"
        elif isinstance(item, StepBox):
            begin, end = ("([", "])") if item.planned.get("always_run") else ("[", "]")
            yield f"{indent}{name}{begin}{_label(*_lines(item))}{end}"
        elif item.kind == "group":
            yield f"{indent}subgraph {name}[{_label(f'{item.name}: {item.about[0]}')}]"
            yield f"{indent}  direction LR"
            lanes = [f"{name}l{number}" for number in range(1, len(item.items) + 1)]
            for lane, inside in zip(lanes, item.items, strict=True):
                yield from self._item(inside, lane, f"{indent}  ")
            # Without links, which nobody sees, Mermaid puts them below each other, the last first.
            yield from (f"{indent}  {left} ~~~ {right}" for left, right in pairwise(lanes))
            yield f"{indent}end"
        else:
            # On one line: Mermaid has no room for a second one.
            label = ": ".join(each for each in (item.name, ", ".join(item.about)) if each)
            yield f"{indent}subgraph {name}[{_label(label)}]"
            yield f"{indent}  direction TB"
            yield from self.sequence(item.items, f"{indent}  ")
            yield f"{indent}end"


def _lines(step: StepBox) -> Iterator[str]:
    yield step.name
    yield step.place
    if step.layers:
        names = [name for name, _ in step.layers]
        yield f"in {', in '.join(reversed(names))}"
    if step.chips:
        yield ", ".join(step.chips)


def _label(*lines: str) -> str:
    return f'"{"<br/>".join(map(_escaped, lines))}"'


def _escaped(line: str) -> str:
    """Return a line in which nothing is markup, cut where it is too long."""
    # A backslash may not be written at all: with the letter after it, it would become a line end.
    shown = shown_text(line, one_line=True).replace("\\", "\u2216")
    parts = [_MARKUP.sub(lambda found: f"#{ord(found[0])};", shown)]
    if len(parts[0]) <= _LONGEST:
        return parts[0]
    parts = re.findall(r"#\d+;|.", parts[0])
    ends = accumulate(map(len, parts))
    return "".join(part for part, end in zip(parts, ends, strict=True) if end < _LONGEST) + "…"
