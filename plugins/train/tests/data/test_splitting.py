"""Examples are divided by chance: each once, each class everywhere, one seed one way."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail_train.data import Examples, split_examples


def examples(counts: list[int]) -> Examples:
    codes = np.repeat(np.arange(len(counts)), counts)
    return Examples(
        features=np.arange(len(codes), dtype=float)[:, None],
        codes=codes,
        classes=np.arange(len(counts)),
        columns=("number",),
    )


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=5),
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0, 0.99)),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_row_is_in_one_part_and_each_class_in_every_part(
    counts: list[int], shares: tuple[float, float], seed: int
) -> None:
    given, (test, validation) = examples(counts), shares
    split = split_examples(given, test_share=test, validation_share=validation, seed=seed)
    parts = [split.train, split.test, *([split.validation] if validation else [])]
    rows = sorted(row for part in parts for row in part.features[:, 0].tolist())
    assert rows == given.features[:, 0].tolist()
    for part in parts:
        assert set(part.codes.tolist()) == set(range(len(counts)))
        assert (given.codes[part.features[:, 0].astype(int)] == part.codes).all()
    assert validation or not len(split.validation)


def test_the_seed_alone_decides() -> None:
    given = examples([30, 30])

    def rows(seed: int) -> list[float]:
        split = split_examples(given, test_share=0.2, validation_share=0.1, seed=seed)
        tested: list[float] = split.test.features[:, 0].tolist()
        return tested

    assert rows(1) == rows(1) != rows(2)
