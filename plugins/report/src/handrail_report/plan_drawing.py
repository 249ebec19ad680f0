"""A picture of a plan in HTML: steps below each other, lanes side by side, layers around steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from handrail.amounts import plural
from handrail.cli import BoxFrame, StepBox, StepsBox, boxes_of
from handrail_report.elements import Content, element
from handrail_report.states import look_of

if TYPE_CHECKING:
    from handrail.cli import Box

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
        states: How far each step came, by its name, as `handrail.records` says it. Without them,
            the picture shows no states.
        notes: What stands behind the state of a step, such as `0.4s`.
    """
    ordinary, always = boxes_of(plan, states, notes)
    boxes = _Boxes(plan, with_states=states is not None)
    divider = element("p", "always, also after a failure", class_="divider")
    sequences = [boxes.sequence(each) for each in (ordinary, always) if each]
    return element(
        "div",
        sequences[:1] or element("p", "It has no steps; it runs in one piece."),
        (divider, sequences[1]) if len(sequences) > 1 else None,
        class_="plan-picture",
        role="group",
        aria_label=f"Plan of {plan['action']}, {plural(len(plan['steps']), 'step')}",
    )


@cache
def picture_styles() -> Markup:
    """Return the `style` element for a page that has plan pictures, and no stylesheet of reports.

    What it says holds for plan pictures only.
    """
    looks = files("handrail_report").joinpath("plan_picture.css").read_text(encoding="utf-8")
    return Markup(f"<style>{looks.replace(':root', '.plan-picture')}</style>")


class _Boxes:
    """Makes the elements of boxes and frames.

    Args:
        plan: The plan; the packs that put steps into it have an accent.
        with_states: Whether the boxes have states.
    """

    def __init__(self, plan: Mapping[str, Any], *, with_states: bool) -> None:
        self._with_states = with_states
        steps = (StepBox(number=0, planned=each) for each in plan["steps"])
        others = dict.fromkeys(step.pack for step in steps if step.brought)
        self._accents = {pack: number % _ACCENTS + 1 for number, pack in enumerate(others)}

    def sequence(self, items: Iterable[Box]) -> Markup:
        """Return items that follow each other."""
        return element("ol", [element("li", self._item(item)) for item in items])

    def _item(self, item: Box) -> Markup:
        if isinstance(item, BoxFrame):
            return self._frame(item)
        if isinstance(item, StepsBox):
            names = [step.name for step in item.steps[:_TITLES]]
            title = ", ".join([*names, *["…"] * (len(item.steps) > _TITLES)])
            mark = element("span", "…", class_="mark", aria_hidden="true")
            states = item.states if self._with_states else ""
            return self._box(item, mark, states, class_="several", title=title)
        told = item.note if item.state is None else f"{item.state} {item.note}".rstrip()
        tone = None if item.state is None else look_of(item.state).tone
        box = self._box(item, _mark(item), told, class_="step", data_tone=tone)
        for name, owner in reversed(item.layers):
            box = _framed("layer", name, owner, box)
        return box

    def _frame(self, frame: BoxFrame) -> Markup:
        if frame.kind == "lane":
            return element("div", frame.name, self.sequence(frame.items), class_="lane")
        if frame.kind == "group":
            lanes = element("div", [self._item(lane) for lane in frame.items], class_="lanes")
            return _framed("group", frame.name, frame.about, lanes)
        inputs = [element("div", f"└ {line}") for line in frame.about]
        return _framed("action", frame.name, inputs, self.sequence(frame.items))

    def _box(
        self, box: StepBox | StepsBox, mark: Markup, told: str, *, class_: str, **more: str | None
    ) -> Markup:
        first = box if isinstance(box, StepBox) else box.steps[0]
        accent = f" series-{self._accents[first.pack]}" if first.brought else ""
        words = element("span", told, class_="told") if told else None
        chips = _chips(box.chips) if isinstance(box, StepBox) else None
        return element(
            "div",
            mark,
            element("div", element("span", box.name, class_="name"), words),
            element("div", box.place, chips),
            class_=f"{class_}{accent}",
            **more,
        )


def _framed(kind: str, name: str, about: Content, inside: Markup) -> Markup:
    head = element("div", element("span", name, class_="name"), " ", about)
    return element("div", head, inside, class_=kind)


def _mark(step: StepBox) -> Markup:
    """Return the number of a step, or the glyph of its state."""
    if step.state in (None, "not started"):
        return element("span", step.number, class_="mark")
    return element("span", look_of(str(step.state)).glyph, class_="mark", aria_hidden="true")


def _chips(words: Iterable[str]) -> list[Markup]:
    return [
        element("span", word, class_="chip undoes" if word.startswith("undo") else "chip")
        for word in words
    ]
