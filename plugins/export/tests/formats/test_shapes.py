"""The patches of masks, against what is counted pixel by pixel."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail_export.pictures.shapes import patches

masks = st.integers(1, 9).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 2), min_size=width, max_size=width).map(bytes),
        min_size=1,
        max_size=9,
    )
)


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def flooded(rows):
    """Return the sets of pixels that touch, found the slow way, with the number of each."""
    left = {(x, y) for y, row in enumerate(rows) for x, number in enumerate(row) if number}
    found = []
    while left:
        pixels, waiting = set(), [left.pop()]
        number = rows[waiting[0][1]][waiting[0][0]]
        while waiting:
            x, y = waiting.pop()
            pixels.add((x, y))
            for near in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if near in left and rows[near[1]][near[0]] == number:
                    left.discard(near)
                    waiting.append(near)
        found.append((number, frozenset(pixels)))
    return set(found)


def filled(pixels):
    """Return pixels with their holes: all that no path from outside reaches."""
    xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
    field = {
        (x, y) for x in range(min(xs) - 1, max(xs) + 2) for y in range(min(ys) - 1, max(ys) + 2)
    } - pixels
    waiting = [(min(xs) - 1, min(ys) - 1)]
    field.discard(waiting[0])
    while waiting:
        x, y = waiting.pop()
        # Corners count here: a hole that is open at a corner is outside of the outline.
        for near in ((x + a, y + b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
            if near in field:
                field.discard(near)
                waiting.append(near)
    return pixels | field


def area(outline):
    points = list(zip(outline[::2], outline[1::2], strict=True))
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return sum(x * v - u * y for (x, y), (u, v) in pairs) / 2


@patient
@given(masks)
def test_patches(rows):
    """Each patch is a set of pixels that touch, all of them are found, and the box fits."""
    found = {
        (patch.number, frozenset((x, y) for y, a, b in patch.runs for x in range(a, b)))
        for patch in patches(rows)
    }
    assert found == flooded(rows)
    for patch in patches(rows):
        xs = [x for _, a, b in patch.runs for x in range(a, b)]
        ys = [y for y, _, _ in patch.runs]
        left, top, width, height = patch.box
        assert (left, top) == (min(xs), min(ys))
        assert (left + width, top + height) == (max(xs) + 1, max(ys) + 1)
        assert patch.area == len(xs)


@patient
@given(masks)
def test_outline(rows):
    """The outline goes around the patch, clockwise, at right angles, and encloses all of it."""
    for patch in patches(rows):
        outline = patch.outline()
        points = list(zip(outline[::2], outline[1::2], strict=True))
        turns = zip(points, points[1:] + points[:1], strict=True)
        assert all((x == u) != (y == v) for (x, y), (u, v) in turns)
        pixels = {(x, y) for y, a, b in patch.runs for x in range(a, b)}
        assert area(outline) == len(filled(pixels))
