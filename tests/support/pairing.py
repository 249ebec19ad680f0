"""Leaves out most pairs of a place and a variant of a test, but for the wide sessions."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

WIDE = "HANDRAIL_FAULTS" in os.environ


def keep_pairs(config: pytest.Config, items: list[pytest.Item], name: str, below: Path) -> None:
    """Keep of each test as many cases as have each place, and each variant of the rest, once.

    A test with a fixture `name` of 3 places, and 16 variants of other parameters, has 16 cases in
    place of 48. What a place does to all of them is what the contract of stores is for. With
    HANDRAIL_FAULTS all are kept.

    Args:
        config: The configuration of pytest.
        items: All tests; those that have no such parameter are kept.
        name: The parameter that tells the place.
        below: The folder of the tests that this is for.
    """
    if WIDE:
        return
    cases: dict[tuple[object, str], list[tuple[pytest.Item, str, str]]] = defaultdict(list)
    for item in items:
        call = getattr(item, "callspec", None)
        if call is not None and name in call.params and item.path.is_relative_to(below):
            rest = "-".join(part for part in call._idlist if part != _id(call, name))
            test = (item.parent, getattr(item, "originalname", item.name))
            cases[test].append((item, _id(call, name), rest))
    left = [item for each in cases.values() for item in _left_out(each)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


def _id(call: object, name: str) -> str:
    return str(call.params[name])  # type: ignore[attr-defined]


def _left_out(cases: list[tuple[pytest.Item, str, str]]) -> list[pytest.Item]:
    places = list(dict.fromkeys(place for _, place, _ in cases))
    variants = list(dict.fromkeys(variant for _, _, variant in cases))
    count = max(len(places), len(variants))
    kept = {(places[n % len(places)], variants[n % len(variants)]) for n in range(count)}
    return [item for item, place, variant in cases if (place, variant) not in kept]
