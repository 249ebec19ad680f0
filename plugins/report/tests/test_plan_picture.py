"""Pictures of plans: what is in them, and that nothing of a plan gets lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args
from xml.etree import ElementTree

import pytest

from handrail.builtin.cli.view.plan_boxes import MOST, StepBox, StepsBox, boxes_of
from handrail.builtin.records.step_state import StepState
from handrail_report.charts import plan_picture
from handrail_report.document import picture_styles


def origin(pack: str | None, version: str = "1.0") -> dict[str, Any]:
    return {"pack": pack, "version": version, "module": "m", "file": "flows.py", "line": 3}


def step(name: str, pack: str | None = "acme-own", **more: Any) -> dict[str, Any]:
    usual = {"layers": [], "origin": origin(pack), "reason": "base", "effects": True}
    return {"name": name, "always_run": False, **usual, **more}


def plan(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": "ship", "origin": origin("acme-own"), "steps": list(steps), **more}


def lanes(*counts: int, name: str = "media") -> list[dict[str, Any]]:
    return [
        step(f"{name}_{lane}_{number}", group=name, lane=lane)
        for lane, count in enumerate(counts)
        for number in range(count)
    ]


def drawn(shown: dict[str, Any], *more: Any) -> ElementTree.Element:
    """Return the picture, which is XML as well."""
    return ElementTree.fromstring(plan_picture(shown, *more))


def texts(picture: ElementTree.Element) -> list[str]:
    """Return what is written in it, apart from the glyphs that a word stands beside."""
    for each in picture.iter():
        if each.get("aria-hidden"):
            each.text = None
    return [text for part in picture.itertext() if (text := " ".join(part.split()))]


def test_a_box_says_who_put_a_step_there_and_what_holds_for_it() -> None:
    """The number, the name, the pack with its version, the reason, and the rules."""
    layer = {"name": "retry", "origin": origin("acme-more", "0.3"), "reason": ""}
    picture = drawn(
        plan(
            step("open", "acme-audit", reason="before send", required="handrail.toml:4"),
            step("send", undo=True, layers=[layer], limits={"timeout": 60, "isolated": True}),
            step("close", effects=False, always_run=True),
        )
    )
    assert texts(picture) == [
        *("1", "open", "acme-audit 1.0, before send", "required, final"),
        *("retry", "acme-more 0.3"),
        *("2", "send", "acme-own 1.0", "undo", "isolated", "timeout 60s"),
        "always, also after a failure",
        *("3", "close", "acme-own 1.0", "only reads"),
    ]


def test_states_are_told_by_a_glyph_and_a_word() -> None:
    """And not by a colour alone; a step that has not begun keeps its number."""
    states = {"a": "done", "b": "interrupted"}
    shown = plan(step("a"), step("b"), step("c"))
    picture = drawn(shown, states, {"a": "0.4s"})
    assert [each.text for each in picture.findall(".//*[@class='mark']")] == ["✓", "!", "3"]
    assert texts(picture) == [
        *("a", "done 0.4s", "acme-own 1.0"),
        *("b", "interrupted", "acme-own 1.0"),
        *("3", "c", "not started", "acme-own 1.0"),
    ]


def test_lanes_stand_side_by_side_and_a_chain_has_a_frame_for_each_action() -> None:
    """Names lose what the frame around them says already."""
    steps = [
        step("up.send", action="up"),
        step("out.a", action="out", group="out.write", lane=0),
        step("out.b", action="out", group="out.write", lane=1),
        step("up.close", action="up", always_run=True),
    ]
    chain = [
        {"name": "up", "action": "upload", "inputs": {}},
        {"name": "out", "action": "export", "inputs": {"source": "up.catalogue"}},
    ]
    groups = [{"name": "out.write", "concurrency": 1}]
    picture = drawn(plan(*steps, actions=chain, groups=groups))
    shown = texts(picture)
    assert [
        name for name in shown if name in ("up", "send", "out", "write", "a", "b", "close")
    ] == [*("up", "send", "out", "write", "a", "b", "close")]
    assert {"└ source = up.catalogue", "2 lanes, 1 at a time"} <= set(shown)
    lanes = picture.findall(".//*[@class='lanes']/*[@class='lane']")
    assert [texts(lane)[:3] for lane in lanes] == [["lane 1", "2", "a"], ["lane 2", "3", "b"]]


def test_a_screen_reader_is_told_what_it_is() -> None:
    picture = drawn(plan(step("a", "acme-x", reason="after b"), *lanes(1, 1)), {"a": "failed"})
    assert picture.get("role") == "group"
    assert picture.get("aria-label") == "Plan of ship, 3 steps"


def boxes(picture: ElementTree.Element) -> list[ElementTree.Element]:
    """Return the boxes of steps."""
    kinds = ("step", "several")
    return [each for each in picture.iter() if each.get("class", "").startswith(kinds)]


@pytest.mark.parametrize("name", ["w" * 300, "写真" * 80])
def test_a_long_text_is_whole(name: str) -> None:
    """It goes on below."""
    long = step(name, f"acme-{name}", reason=f"before {name}", layers=[])
    assert texts(drawn(plan(long))) == ["1", name, f"acme-{name} 1.0, before {name}"]


def test_nothing_in_a_plan_is_markup_or_controls_anything() -> None:
    """Names of packs come from elsewhere."""
    evil = "</svg><script>alert(1)</script>\x1b]0;x\x07\u202e"
    picture = plan_picture(plan(step(evil, evil, reason=evil)), {evil: "done"}, {evil: evil})
    assert "<script" not in picture
    assert "\x1b" not in picture
    assert "\u202e" not in picture


def steps_in(items: Any) -> Iterator[StepBox]:
    for item in items:
        if isinstance(item, StepBox):
            yield item
        else:
            yield from item.steps if isinstance(item, StepsBox) else steps_in(item.items)


def counted(shown: dict[str, Any]) -> int:
    """Return how many boxes a picture has."""
    return len(boxes(drawn(shown)))


def test_a_plan_of_a_hundred_steps_is_whole() -> None:
    """Each step has a box of its own."""
    assert counted(plan(*(step(f"s{n}") for n in range(MOST)))) == MOST


LONG = {
    "of one pack": plan(*(step(f"s{n}") for n in range(3000))),
    "of a pack, with others in between": plan(
        *(step(f"s{n}", "acme-x" if n % 50 == 0 else "acme-own") for n in range(1000))
    ),
    "of packs that alternate": plan(*(step(f"s{n}", f"acme-{n % 7}") for n in range(1000))),
    "with long lanes": plan(*lanes(200, 300, 2), groups=[{"name": "media", "concurrency": None}]),
    "with many groups": plan(*(each for n in range(90) for each in lanes(3, 3, name=f"g{n}"))),
    "of many actions": plan(
        *(step(f"a{n}.s{m}", f"acme-{m}", action=f"a{n}") for n in range(60) for m in range(5)),
        actions=[{"name": f"a{n}", "action": "x", "inputs": {}} for n in range(60)],
    ),
    "that always run": plan(*(step(f"s{n}", f"acme-{n % 3}", always_run=True) for n in range(300))),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_longer_plan_has_at_most_a_hundred_boxes_and_all_its_steps(kind: str) -> None:
    """Steps that share a box are counted in it, so that none gets lost."""
    shown = LONG[kind]
    assert 1 <= counted(shown) <= MOST
    assert [each.number for part in boxes_of(shown) for each in steps_in(part)] == [
        *range(1, len(shown["steps"]) + 1)
    ]


def test_of_many_lanes_the_first_are_shown_and_the_others_counted() -> None:
    """A group of 300 lanes says how many of them are not there."""
    picture = drawn(plan(*lanes(*[2] * 300), groups=[{"name": "media", "concurrency": 8}]))
    assert "300 lanes, 8 at a time; 285 not shown" in texts(picture)


@pytest.mark.parametrize(
    "state",
    sorted({*get_args(StepState)} - {"not started", "waiting", "done", "skipped", "undone"}),
)
def test_a_step_that_failed_has_a_box_of_its_own_wherever_it_is(state: str) -> None:
    """What somebody looks for is never in the middle of others."""
    for kind in ("of one pack", "of packs that alternate"):
        picture = drawn(LONG[kind], {"s500": state})
        assert "s500" in texts(picture)
        assert any(re.search(r"\d not started", text) for text in texts(picture))


def test_styles_for_a_notebook_are_about_pictures_only() -> None:
    """And they need no other file."""
    styles = picture_styles().removeprefix("<style>").removesuffix("</style>")
    assert not re.search(r"url\(|@import", styles)
    rules = re.sub(r"/\*.*?\*/", "", styles, flags=re.DOTALL)
    assert all(".plan-picture" in rule for rule in re.findall(r"^[^\s}].*\{", rules, re.MULTILINE))
