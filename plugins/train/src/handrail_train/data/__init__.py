"""Training data: a table in a file, or a data set of scikit-learn."""

from __future__ import annotations

from handrail_train.data.examples import Examples, Split
from handrail_train.data.source import BUNDLED, MEASURED, SUFFIXES, load_examples, stamp_of
from handrail_train.data.splitting import split_examples

__all__ = [
    "BUNDLED",
    "MEASURED",
    "SUFFIXES",
    "Examples",
    "Split",
    "load_examples",
    "split_examples",
    "stamp_of",
]
