"""A picture of a plan in HTML: steps below each other, lanes side by side, layers around steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural
from handrail.html.elements import Content, Markup, element
from handrail.html.plan_boxes import (
    ActionFrame,
    Lanes,
    Several,
    Step,
    boxes_of,
    origin_of,
    owner_of,
)
from handrail.html.states import look_of

if TYPE_CHECKING:
    from handrail.html.plan_boxes import Item

_TITLES = 50  # Names in the title of a box for several steps.
_ACCENTS = 6


def plan_picture(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Markup:
    """Return the picture of a plan, for a page that has the stylesheet of reports.

    Args:
        plan: The plan as `Plan.to_dict` returns it, or as it was recorded.
        states: How far each step came, by its name; see `handrail.recovery.step_state`. Without
            them, the picture shows no states.
        notes: What stands behind the state of a step, such as `0.4s`.
    """
    ordinary, always = boxes_of(plan, states, notes)
    boxes = _Boxes(plan, with_states=states is not None)
    return element(
        "div",
        boxes.sequence(ordinary) if ordinary else None,
        element("p", "always, also after a failure", class_="divider")
        if ordinary and always
        else None,
        boxes.sequence(always) if always else None,
        None if ordinary or always else element("p", "It has no steps; it runs in one piece."),
        class_="plan-picture",
        role="group",
        aria_label=f"Plan of {plan['action']}, {plural(len(plan['steps']), 'step')}",
    )


@cache
def picture_styles() -> Markup:
    """Return the `style` element for a page that has plan pictures, and no stylesheet of reports.

    What it says holds for plan pictures only.
    """
    looks = files("handrail.html").joinpath("plan_picture.css").read_text(encoding="utf-8")
    return Markup(f"<style>{looks.replace(':root', '.plan-picture')}</style>")


class _Boxes:
    """Makes the elements of boxes and frames.

    Args:
        plan: The plan; the packs that put steps into it have an accent.
        with_states: Whether the boxes have states.
    """

    def __init__(self, plan: Mapping[str, Any], *, with_states: bool) -> None:
        self._with_states = with_states
        brought = (each for each in plan["steps"] if each.get("reason", "base") != "base")
        others = dict.fromkeys(origin_of(each).get("pack") for each in brought)
        self._accents = {pack: number % _ACCENTS + 1 for number, pack in enumerate(others)}

    def sequence(self, items: Iterable[Item]) -> Markup:
        """Return items that follow each other."""
        return element("ol", [element("li", self._item(item)) for item in items])

    def _item(self, item: Item) -> Markup:
        if isinstance(item, ActionFrame):
            inputs = [element("div", f"└ {line}") for line in item.inputs]
            return _framed("action", item.name, inputs, self.sequence(item.items))
        if isinstance(item, Lanes):
            lanes = [
                element("div", f"lane {number}", self.sequence(lane), class_="lane")
                for number, lane in enumerate(item.lanes, 1)
            ]
            return _framed("group", item.name, item.about, element("div", lanes, class_="lanes"))
        box = self._box(item)
        layers: Sequence[Mapping[str, Any]] = item.layers if isinstance(item, Step) else ()
        for layer in reversed(layers):
            box = _framed("layer", str(layer["name"]), owner_of(origin_of(layer)), box)
        return box

    def _box(self, item: Step | Several) -> Markup:
        step = item if isinstance(item, Step) else None
        state = None if step is None else step.state
        first = item.steps[0] if isinstance(item, Several) else item
        accent = f" from-{self._accents[first.pack]}" if first.brought else ""
        told = self._told(item)
        return element(
            "div",
            _mark(item),
            element(
                "div",
                element("span", item.name, class_="name"),
                element("span", told, class_="told") if told else None,
            ),
            element("div", item.place, _chips(step.chips) if step else None),
            class_=f"{'several' if step is None else 'step'}{accent}",
            data_tone=None if state is None else look_of(state).tone,
            title=_names(item) if isinstance(item, Several) else None,
        )

    def _told(self, item: Step | Several) -> str:
        if isinstance(item, Several):
            return item.states if self._with_states else ""
        return item.note if item.state is None else f"{item.state} {item.note}".rstrip()


def _framed(kind: str, name: str, about: Content, inside: Markup) -> Markup:
    head = element("div", element("span", name, class_="name"), " ", about)
    return element("div", head, inside, class_=kind)


def _mark(item: Step | Several) -> Markup:
    """Return the number of a step, or the glyph of its state."""
    if isinstance(item, Step) and item.state in (None, "not started"):
        return element("span", item.number, class_="mark")
    glyph = "…" if isinstance(item, Several) else look_of(str(item.state)).glyph
    return element("span", glyph, class_="mark", aria_hidden="true")


def _chips(words: Iterable[str]) -> list[Markup]:
    return [
        element("span", word, class_="chip undoes" if word.startswith("undo") else "chip")
        for word in words
    ]


def _names(item: Several) -> str:
    names = [step.name for step in item.steps[:_TITLES]]
    return ", ".join([*names, *["…"] * (len(item.steps) > _TITLES)])
