"""Divides examples, so that each part has as much of each class as the whole."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from handrail_train.data.examples import Examples, Split


def split_examples(
    examples: Examples, *, test_share: float, validation_share: float, seed: int
) -> Split:
    """Divide examples randomly; the same seed gives the same parts on every machine.

    Each class with at least three rows is in every part that has a share.

    Args:
        examples: All of them.
        test_share: The share of the test, from 0 to 1.
        validation_share: The share of the rest to measure the model during the training.
        seed: The random seed.
    """
    np: Any = import_module("numpy")
    order = np.random.default_rng([seed, 0]).permutation(len(examples))
    parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for code in range(len(examples.classes)):
        rows = order[examples.codes[order] == code]
        # At least one is left for each part that there is.
        tested = _taken(len(rows), test_share, leaving=2 if validation_share else 1)
        validated = _taken(len(rows) - tested, validation_share, leaving=1)
        ends = (tested, tested + validated)
        for part, some in zip(parts, np.split(rows, ends), strict=True):
            part.append(some)
    test, validation, train = (examples.some(np.sort(np.concatenate(part))) for part in parts)
    return Split(train=train, validation=validation, test=test)


def _taken(count: int, share: float, *, leaving: int) -> int:
    """Return the number of rows to take of `count`: at least one if any, within the limits."""
    if not share:
        return 0
    return min(max(1, round(count * share)), count - leaving)
