"""Pictures of plans: what is in them, and that nothing of a plan gets lost or out of its box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from handrail.html.notebook import result_html
from handrail.html.plan_boxes import MOST, Lanes, Several, Step, boxes_of
from handrail.html.plan_drawing import plan_picture

SVG = "{http://www.w3.org/2000/svg}"


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


def drawn(shown: dict[str, Any], *more: Any, **options: Any) -> ElementTree.Element:
    """Return the picture as a file of its own, which has to be XML."""
    return ElementTree.fromstring(plan_picture(shown, *more, alone=True, **options))


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]


def described(picture: ElementTree.Element) -> str:
    return picture.findtext(f"{SVG}desc") or ""


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
    picture = drawn(plan(step("a"), step("b"), step("c")), states, {"a": "0.4s"})
    assert [each for each in texts(picture) if each.islower() or each[0].isdigit()] == [
        *("a", "acme-own 1.0", "done 0.4s"),
        *("b", "acme-own 1.0", "interrupted"),
        *("3", "c", "acme-own 1.0", "not started"),
    ]
    glyphs = picture.findall(f".//{SVG}path[@class='glyph']")
    assert len({glyph.get("d") for glyph in glyphs}) == 2


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
    assert {"└ source = up.catalogue", "2 lanes, 1 at a time", "lane 1", "lane 2"} <= set(shown)
    places = {
        "".join(each.itertext()): (float(each.get("x", 0)), float(each.get("y", 0)))
        for each in picture.iter(f"{SVG}text")
    }
    assert places["a"][1] == places["b"][1]
    assert places["a"][0] < places["b"][0]


def test_a_screen_reader_is_told_all_of_it() -> None:
    """A title and a description, with packs, reasons, groups and states."""
    picture = drawn(plan(step("a", "acme-x", reason="after b"), *lanes(1, 1)), {"a": "failed"})
    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title") == "Plan of ship, 3 steps"
    assert described(picture).startswith("1 a, acme-x 1.0, after b, failed. Group media, 2 lanes. ")


def boxes(picture: ElementTree.Element) -> Iterator[tuple[float, float, list[ElementTree.Element]]]:
    """Yield the left and the right of each box of a step, and the texts in it."""
    for group in picture.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        if rect is not None and group.get("class", "").startswith(("step-box", "several-box")):
            left = float(rect.get("x", 0))
            yield left, left + float(rect.get("width", 0)), list(group.iter(f"{SVG}text"))


@pytest.mark.parametrize("name", ["w" * 300, "m_" * 100, "写真" * 80, "<&\"'>\x1b\u202e" * 20])
def test_a_long_text_ends_in_an_ellipsis_and_is_whole_in_the_title(name: str) -> None:
    """It never leaves its box, also where letters are wide, and is never cut without a sign."""
    long = step(name, f"acme-{name}", reason=f"before {name}", layers=[])
    picture = drawn(plan(long, step(f"{name}2", group="g", lane=0), step("b", group="g", lane=1)))
    for left, right, inside in boxes(picture):
        for text in inside:
            content = "".join(text.itertext())
            width = len(content) * 13 * 0.6 if "name" in text.get("class", "") else 0
            assert left < float(text.get("x", 0)) + width <= right or content.endswith("…")
    cut = [text for text in texts(picture) if text.endswith("…")]
    assert len(cut) >= 3
    titles = [each.text or "" for each in picture.iter(f"{SVG}title")]
    assert any(title.count(cut[0][:5]) >= 3 for title in titles)


def test_nothing_in_a_plan_is_markup_or_controls_anything() -> None:
    """Names of packs come from elsewhere."""
    evil = "</svg><script>alert(1)</script>\x1b]0;x\x07\u202e"
    picture = plan_picture(plan(step(evil, evil, reason=evil)), {evil: "done"}, {evil: evil})
    assert "<script" not in picture
    assert "\x1b" not in picture
    assert "\u202e" not in picture


def steps_in(items: Any) -> Iterator[Step]:
    for item in items:
        if isinstance(item, Step):
            yield item
        elif isinstance(item, Several):
            yield from item.steps
        elif isinstance(item, Lanes):
            for lane in item.lanes:
                yield from steps_in(lane)
        else:
            yield from steps_in(item.items)


def counted(shown: dict[str, Any], **options: Any) -> int:
    """Return how many boxes a picture has."""
    return sum(1 for _ in boxes(drawn(shown, **options)))


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
    assert "300 lanes, 8 at a time; 296 not shown" in texts(picture)


def test_a_step_that_failed_has_a_box_of_its_own_wherever_it_is() -> None:
    """What somebody looks for is never in the middle of others."""
    for kind in ("of one pack", "of packs that alternate"):
        picture = drawn(LONG[kind], {"s500": "failed"})
        assert "s500" in texts(picture)
        assert any(re.search(r"\d not started", text) for text in texts(picture))


def test_a_picture_alone_has_its_styles_and_one_in_a_page_has_none() -> None:
    """One that is alone is light and dark by itself, and needs no other file."""
    alone, within = plan_picture(plan(step("a")), alone=True), plan_picture(plan(step("a")))
    assert "color-scheme: light dark" in alone
    assert "xmlns" in alone
    assert "<style" not in within
    assert not re.search(r"url\(|@import|href", alone)


def test_a_result_is_a_table_for_a_notebook() -> None:
    """With its state, its values, shortened, and how much it recorded."""
    shown = result_html("done", None, {"files": ["x" * 50] * 1000}, {"keys": ["a"] * 406})
    assert "✓ done" in shown
    assert "406 recorded for its undo" in shown
    assert len(shown) < 2000
