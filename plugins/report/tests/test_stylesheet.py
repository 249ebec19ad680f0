"""The stylesheet: every text can be read on every ground that it stands on, light and dark."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from handrail_report import stylesheet

TONES = ("good", "bad", "warn", "busy", "undo", "quiet")


def lists_of_colours() -> dict[str, Mapping[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", stylesheet())
    light = {name: colour for name, colour, _ in found}
    return {"light": light, "dark": {name: colour for name, _, colour in found}}


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    first, second = sorted((luminance(one), luminance(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read(scheme: str) -> None:
    """Contrast of 4.5 or more, as WCAG asks for; 3 for lines that mean something."""
    colours = lists_of_colours()[scheme]
    texts = [
        *((text, ground) for text in ("text", "muted", "link") for ground in ("ground", "raised")),
        *((tone, f"{tone}-ground") for tone in TONES),
        *((tone, "ground") for tone in TONES),
        *(("text", f"{tone}-ground") for tone in TONES),
        *(("link", f"{tone}-ground") for tone in TONES),
        *(("muted", f"{tone}-ground") for tone in TONES),
        *((f"series-{number}", "ground") for number in range(1, 7)),
    ]
    low = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, ground in texts
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert low == {}
    assert contrast(colours["strong-line"], colours["ground"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_of_heatmaps_can_be_read(scheme: str) -> None:
    """On grounds that are mixed of two colours."""
    colours = lists_of_colours()[scheme]
    mixes = re.findall(
        r"color-mix\(in srgb, var\(--([\w-]+)\) (\d+)%, var\(--ground\)\);"
        r"(?:\s+color: var\(--([\w-]+)\);)?",
        stylesheet(),
    )
    assert len(mixes) == 3
    for colour, percent, text in mixes:
        share = int(percent) / 100
        pairs = [
            (int(colours[each][place : place + 2], 16), part)
            for place in (1, 3, 5)
            for each, part in ((colour, share), ("ground", 1 - share))
        ]
        sums = [
            first[0] * first[1] + last[0] * last[1]
            for first, last in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        ground = "#" + "".join(f"{round(each):02x}" for each in sums)
        assert contrast(colours[text or "text"], ground) >= 4.5


def test_nothing_moves_for_those_who_asked_for_that() -> None:
    moving = re.sub(
        r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}",
        "",
        stylesheet(),
        flags=re.DOTALL,
    )
    assert not re.search(r"animation|transition|scroll-behavior: smooth", moving)
