"""A picture of a plan, as SVG: steps below each other, lanes side by side, layers around steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural
from handrail.html.elements import Markup, element, joined
from handrail.html.plan_boxes import (
    LANES,
    ActionFrame,
    Lanes,
    Several,
    Step,
    boxes_of,
    origin_of,
    owner_of,
)
from handrail.html.states import look_of
from handrail.visible import visible

if TYPE_CHECKING:
    from handrail.html.plan_boxes import Item

_WIDTH = 400.0  # Of a picture without lanes: that of a telephone.
_SCROLLS = 480.0  # What is wider is not made smaller where there is less room.
_LANE = 190.0
_EDGE, _GAP, _BETWEEN = 12.0, 14.0, 8.0
_ROW, _HEAD = 17.0, 22.0
_INSET = 6.0  # Of what a layer, a lane or an action is around.
_TITLES = 50  # Names in the title of a box for several steps.
_ACCENTS = 6

# Drawn, and not written, as the fonts of systems differ: around 0, 0, in a circle of radius 10.
_GLYPHS: Mapping[str, str] = MappingProxyType(
    {
        "✓": "M-4.2 .4L-1.3 3.4L4.3-3.2",
        "✗": "M-3.3-3.3L3.3 3.3M3.3-3.3L-3.3 3.3",
        "↶": "M-4-1.6H1A2.8 2.8 0 0 1 1 4H-2M-4-1.6L-1.2-4.4M-4-1.6L-1.2 1.2",
        "▸": "M-2-3.6L3.4 0L-2 3.6Z",
        "!": "M0-4.4V.8M0 3.8V4",
        "-": "M-3.6 0H3.6",
    }
)
_DOTS = "M-4 0H-3.9M-.1 0H.1M3.9 0H4"


def plan_picture(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    *,
    alone: bool = False,
) -> Markup:
    """Return the picture of a plan.

    Args:
        plan: The plan as `Plan.to_dict` returns it, or as it was recorded.
        states: How far each step came, by its name; see `handrail.recovery.step_state`. Without
            them, the picture shows no states.
        notes: What stands behind the state of a step, such as `0.4s`.
        alone: Whether it is a file of its own. Otherwise it is a part of a page that has
            `picture_styles`, or the stylesheet of reports.
    """
    ordinary, always = boxes_of(plan, states, notes)
    picture = _Picture(plan, with_states=states is not None)
    picture.draw(ordinary, always)
    about = f"Plan of {plan['action']}, {plural(len(plan['steps']), 'step')}"
    return picture.markup(about, _spoken((*ordinary, *always)), alone=alone)


@cache
def picture_styles() -> Markup:
    """Return the `style` element for a page that has plan pictures, and no stylesheet of reports.

    What it says holds for plan pictures only.
    """
    from importlib.resources import files  # noqa: PLC0415 - only for pictures that stand alone

    text = files("handrail.html").joinpath("plan_picture.css").read_text(encoding="utf-8")
    return Markup(f"<style>{text}</style>")


# Words


def _told(item: Step | Several) -> str:
    """Return all that a box says, and what it had no room for."""
    if isinstance(item, Several):
        names = [step.name for step in item.steps[:_TITLES]]
        more = ["…"] if len(item.steps) > _TITLES else []
        return f"{item.name}: {', '.join([*names, *more])}"
    layers = [f"in {each['name']} of {owner_of(origin_of(each))}" for each in item.layers]
    state = [] if item.state is None else [f"{item.state} {item.note}".rstrip()]
    parts = [f"{item.number} {item.name}", item.place, *layers, *item.chips, *state]
    return ", ".join(parts)


def _spoken(items: Iterable[Item]) -> str:
    """Return the picture in words."""
    parts: list[str] = []
    for item in items:
        if isinstance(item, ActionFrame):
            parts.append(f"Action {item.name}: {_spoken(item.items)}")
        elif isinstance(item, Lanes):
            lanes = (f"Lane {n}: {_spoken(lane)}" for n, lane in enumerate(item.lanes, 1))
            parts.append(f"Group {item.name}, {item.about}. {' '.join(lanes)}")
        elif isinstance(item, Several):
            parts.append(f"{item.name}.")
        else:
            parts.append(f"{_told(item)}.")
    return " ".join(parts)


# How wide texts are. Nobody knows the fonts of a reader, so these are those of a wide one.

_WIDE, _SLIM = frozenset("mwMW@%—…"), frozenset(" fijlrtI.,:;!|'()[]/-·")


def _mono(text: str, size: float) -> float:
    return sum(1.25 if letter > "\u2e80" else 0.61 for letter in text) * size


def _sans(text: str, size: float) -> float:
    def of(letter: str) -> float:
        if letter > "\u2e80":
            return 1.05
        return (
            0.98
            if letter in _WIDE
            else 0.4
            if letter in _SLIM
            else 0.7
            if letter.isupper()
            else 0.62
        )

    return sum(map(of, text)) * size


def _fitting(text: str, room: float, size: float, *, mono: bool = False) -> str:
    """Return a text, with an ellipsis where it has to be cut to fit into the room."""
    width, text = (_mono if mono else _sans), visible(text)
    if width(text, size) <= room:
        return text
    end = len(text)
    while end and width(f"{text[:end].rstrip()}…", size) > room:
        end -= 1
    return f"{text[:end].rstrip()}…"


# Drawing


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _shape(name: str, class_: str, *content: Markup, **places: float) -> Markup:
    numbers = {key: _number(value) for key, value in places.items()}
    return element(name, *content, class_=class_, **numbers)


def _box(class_: str, x: float, y: float, width: float, height: float, round_: float) -> Markup:
    return _shape("rect", class_, x=x, y=y, width=width, height=height, rx=round_)


def _text(class_: str, x: float, y: float, content: str, anchor: str | None = None) -> Markup:
    return element("text", content, x=_number(x), y=_number(y), class_=class_, text_anchor=anchor)


class _Picture:
    """Draws items from the top to the bottom.

    Args:
        plan: The plan; the packs that put steps into it have an accent.
        with_states: Whether the boxes have states.
    """

    def __init__(self, plan: Mapping[str, Any], *, with_states: bool) -> None:
        self._with_states = with_states
        brought = (each for each in plan["steps"] if each.get("reason", "base") != "base")
        others = dict.fromkeys(origin_of(each).get("pack") for each in brought)
        self._accents = {pack: number % _ACCENTS + 1 for number, pack in enumerate(others)}
        self._parts: list[Markup] = []
        self._width = _WIDTH
        self._bottom = 0.0

    def draw(self, ordinary: Sequence[Item], always: Sequence[Item]) -> None:
        """Draw the steps of a plan, and those that always run."""
        self._width = max(_WIDTH, 2 * _EDGE + _needed([*ordinary, *always]))
        x, width = _EDGE, self._width - 2 * _EDGE
        y = self._items(ordinary, x, _EDGE, width)
        if always:
            y = self._divider(x, y, width, "always, also after a failure") if ordinary else y
            y = self._items(always, x, y, width)
        if not (ordinary or always):
            self._parts.append(_text("soft", x, y + 14, "It has no steps; it runs in one piece."))
            y += _HEAD
        self._bottom = y + _EDGE

    def markup(self, title: str, described: str, *, alone: bool) -> Markup:
        """Return what was drawn."""
        width, height = _number(self._width), _number(self._bottom)
        wide = self._width > _SCROLLS
        content = (element("title", title), element("desc", described))
        whole = {"viewBox": f"0 0 {width} {height}", "width": width, "height": height}
        about: dict[str, str | None] = {"role": "img", **whole}
        if alone:
            ground = _box("ground", 0, 0, self._width, self._bottom, 0)
            about |= {"xmlns": "http://www.w3.org/2000/svg", "class_": "plan-picture"}
            return element("svg", *content, picture_styles(), ground, *self._parts, **about)
        drawn = element("svg", *content, *self._parts, **about, class_="wide" if wide else None)
        # What is wider than a telephone scrolls, also with the keyboard.
        return element("div", drawn, class_="plan-picture", tabindex=0 if wide else None)

    def _items(self, items: Sequence[Item], x: float, y: float, width: float) -> float:
        """Draw items below each other, and return where they end."""
        for place, item in enumerate(items):
            if place:
                y = self._arrow(x + width / 2, y)
            y = self._item(item, x, y, width)
        return y

    def _item(self, item: Item, x: float, y: float, width: float) -> float:
        if isinstance(item, ActionFrame):
            return self._action(item, x, y, width)
        if isinstance(item, Lanes):
            return self._lanes(item, x, y, width)
        drawn, bottom = self._boxes(item, x, y, width)
        self._parts.append(element("g", element("title", _told(item)), *drawn))
        return bottom

    def _arrow(self, x: float, y: float) -> float:
        end = y + _GAP
        line = f"M{_number(x)} {_number(y)}V{_number(end - 2)}"
        head = "m-3-4l3 4l3-4"
        self._parts.append(element("path", d=line + head, class_="arrow"))
        return end

    def _divider(self, x: float, y: float, width: float, text: str) -> float:
        middle, half = x + width / 2, _sans(text, 11) / 2 + 8
        at = y + 17
        for begin, end in ((x, middle - half), (middle + half, x + width)):
            line = f"M{_number(begin)} {_number(at - 4)}H{_number(end)}"
            self._parts.append(element("path", d=line, class_="divider"))
        self._parts.append(_text("soft", middle, at, text, "middle"))
        return y + 30

    def _action(self, action: ActionFrame, x: float, y: float, width: float) -> float:
        place = len(self._parts)
        inside = x + _EDGE - 2, width - 2 * (_EDGE - 2)
        end = y + _HEAD
        room = width - 2 * _EDGE
        head = [_text("name", x + _EDGE, end - 4, _fitting(action.name, room, 13, mono=True))]
        for line in action.inputs:
            end += 15
            head.append(_text("soft", x + _EDGE, end - 4, _fitting(f"└ {line}", room, 11)))
        bottom = self._items(action.items, inside[0], end + 4, inside[1]) + _EDGE - 2
        frame = _box("action", x, y, width, bottom - y, 10)
        self._parts[place:place] = [frame, *head]
        return bottom

    def _lanes(self, group: Lanes, x: float, y: float, width: float) -> float:
        place = len(self._parts)
        name = _fitting(group.name, width - 100, 12, mono=True)
        after = x + _INSET + 6 + _mono(name, 12) + 10
        about = _fitting(group.about, x + width - after - 6, 11)
        head = [
            _text("name small", x + _INSET + 4, y + 17, name),
            _text("soft", after, y + 17, about),
        ]
        columns = min(len(group.lanes), LANES)
        each = (width - 2 * _INSET - (columns - 1) * _BETWEEN) / columns
        top = bottom = y + _HEAD + 4
        for row in range(0, len(group.lanes), columns):
            top = bottom if row == 0 else bottom + _BETWEEN
            lanes = group.lanes[row : row + columns]
            bottom = self._row_of_lanes(lanes, row, x + _INSET, top, each)
        bottom += _INSET
        self._parts[place:place] = [_box("group", x, y, width, bottom - y, 10), *head]
        return bottom

    def _row_of_lanes(
        self, lanes: Sequence[Sequence[Item]], first: int, x: float, y: float, width: float
    ) -> float:
        grounds: list[tuple[int, float]] = []
        bottom = y
        for number, lane in enumerate(lanes):
            left = x + number * (width + _BETWEEN)
            grounds.append((len(self._parts), left))
            label = f"lane {first + number + 1}"
            self._parts.append(_text("soft", left + _INSET + 2, y + 15, label))
            end = self._items(lane, left + _INSET, y + _HEAD, width - 2 * _INSET)
            bottom = max(bottom, end + _INSET)
        # They are as high as the highest, which is known only now.
        for place, left in reversed(grounds):
            self._parts.insert(place, _box("lane-ground", left, y, width, bottom - y, 7))
        return bottom

    def _boxes(
        self, item: Step | Several, x: float, y: float, width: float
    ) -> tuple[list[Markup], float]:
        """Return the box of an item with the layers around it, and where they end."""
        layers = item.layers if isinstance(item, Step) else ()
        head = 19.0
        box, bottom = self._card(
            item,
            x + len(layers) * _INSET,
            y + len(layers) * head,
            width - 2 * len(layers) * _INSET,
        )
        around: list[Markup] = []
        for depth, layer in reversed(list(enumerate(layers))):
            left, top = x + depth * _INSET, y + depth * head
            bottom += _INSET
            outer = width - 2 * depth * _INSET
            name = _fitting(str(layer["name"]), outer - 20, 11, mono=True)
            after = left + 16 + _mono(name, 11)
            owner = _fitting(owner_of(origin_of(layer)), left + outer - after - 8, 10.5)
            around[:0] = [
                _box("layer", left, top, outer, bottom - top, 9),
                _text("name tiny", left + 10, top + 14, name),
                *([_text("soft tiny", after, top + 14, owner)] if len(owner) > 3 else []),
            ]
        return [*around, *box], bottom

    def _card(
        self, item: Step | Several, x: float, y: float, width: float
    ) -> tuple[list[Markup], float]:
        """Return the box of an item without layers, and where it ends."""
        rows, bottom = self._rows(item, x + 34, x + width - 10, y)
        kind = "several" if isinstance(item, Several) else "step"
        state = item.state if isinstance(item, Step) else None
        tone = "" if state is None else f" {look_of(state).tone}"
        stripe = self._stripe(item, x, y, bottom)
        frame = _box(kind, x, y, width, bottom - y, 7)
        mark = _mark(item, x + 18, y + 23)
        return [element("g", frame, stripe, mark, *rows, class_=f"{kind}-box{tone}")], bottom

    def _rows(
        self, item: Step | Several, left: float, right: float, y: float
    ) -> tuple[list[Markup], float]:
        """Return what is written in a box, and where the box ends.

        What does not fit beside the name or the place has a row of its own.
        """
        room = right - left
        told, chips = self._state_text(item), item.chips if isinstance(item, Step) else []
        told_room = _sans(told, 11) + 12
        chips_room = sum(map(_chip_width, chips)) + 4 * len(chips) + 8
        by_name = bool(told) and _mono(item.name, 13) + told_room <= room
        place = item.place if _sans(item.place, 11) <= room else item.short_place
        free = room - _sans(place, 11)
        chips_by_place = bool(chips) and chips_room <= free
        by_place = not by_name and not chips_by_place and told_room <= free
        name = _fitting(item.name, room - told_room * by_name, 13, mono=True)
        rows: list[Markup] = [
            _text("name", left, y + 19, name),
            _text("soft", left, y + 36, _fitting(place, room, 11)),
        ]
        bottom = y + 46
        if told and (by_name or by_place):
            rows.append(_text("told", right, y + (19 if by_name else 36), told, "end"))
        elif told:
            rows.append(_text("told", left, bottom + 7, _fitting(told, room, 11)))
            bottom += _ROW
        if chips_by_place:
            rows += _chips(chips, right - chips_room + 12, y + 25, right)[0]
        elif chips:
            drawn, end = _chips(chips, left, bottom - 3, right)
            rows += drawn
            bottom = end + 7
        return rows, bottom

    def _stripe(self, item: Step | Several, x: float, y: float, bottom: float) -> Markup | None:
        """Return what shows on the left that somebody else than the action has put it there."""
        first = item if isinstance(item, Step) else item.steps[0]
        if not first.brought:
            return None
        accent = f"from-{self._accents[first.pack]}"
        return _box(f"stripe {accent}", x + 2.5, y + 7, 3, bottom - y - 14, 1.5)

    def _state_text(self, item: Step | Several) -> str:
        if isinstance(item, Several):
            return item.states if self._with_states else ""
        if item.state is None:
            return item.note
        return f"{item.state} {item.note}".rstrip()


def _mark(item: Step | Several, x: float, y: float) -> Markup:
    """Return the circle with the number of a step, or with the glyph of its state."""
    circle = _shape("circle", "mark", cx=x, cy=y, r=10)
    if isinstance(item, Step) and item.state in (None, "not started"):
        return joined(circle, _text("number", x, y + 3.5, str(item.number), "middle"))
    glyph = (
        _DOTS if isinstance(item, Several) else _GLYPHS[look_of(item.state or "not started").glyph]
    )
    moved = f"translate({_number(x)} {_number(y)})"
    return joined(circle, element("path", d=glyph, transform=moved, class_="glyph"))


def _chip_width(word: str) -> float:
    return _sans(word, 10) + 12


def _chips(words: Sequence[str], x: float, y: float, right: float) -> tuple[list[Markup], float]:
    """Return words in boxes beside each other, on as many rows as they need, and their end."""
    drawn: list[Markup] = []
    at = x
    for word in words:
        width = _chip_width(word)
        if at > x and at + width > right + 0.5:
            at, y = x, y + 18
        more = " undoes" if word.startswith("undo") else ""
        drawn += [
            _box(f"chip{more}", at, y, width, 15, 7.5),
            _text(f"chip-text{more}", at + width / 2, y + 11, word, "middle"),
        ]
        at += width + 4
    return drawn, y + 15


def _needed(items: Iterable[Item]) -> float:
    """Return the width that the lanes of items need, with the frames around them."""
    widest = 0.0
    for item in items:
        if isinstance(item, Lanes) and item.lanes:
            count = min(len(item.lanes), LANES)
            widest = max(widest, count * _LANE + (count - 1) * _BETWEEN + 2 * _INSET)
        elif isinstance(item, ActionFrame):
            widest = max(widest, _needed(item.items) + 2 * (_EDGE - 2))
    return widest
