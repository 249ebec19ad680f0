"""Loads examples from a file or a data set of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from handrail.frozen import frozen
from handrail_train.errors import DataError
from handrail_train.names import some_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Examples


Missing = Literal["fail", "drop"]

# Data sets in scikit-learn itself; others are downloaded, which no run must do by itself.
BUNDLED = ("breast_cancer", "digits", "iris", "wine")
# These too, but with measured numbers as their targets, not classes.
MEASURED = ("diabetes", "linnerud")
SUFFIXES = {".csv": ",", ".tsv": "\t", ".parquet": "", ".pq": ""}


@frozen
class Loaded:
    """Examples, and the number of rows left out.

    Attributes:
        examples: The examples.
        dropped: Number of rows left out, because a value was missing.
    """

    examples: Examples
    dropped: int = 0


def load_examples(
    dataset: str,
    *,
    target: str | None = None,
    features: Sequence[str] = (),
    drop: Sequence[str] = (),
    missing: Missing = "fail",
) -> Loaded:
    """Load examples.

    Args:
        dataset: A file, or the name of a set that scikit-learn brings.
        target: The column with the labels; for a file.
        features: The columns to learn from; all but the target unless given.
        drop: Columns to leave out.
        missing: The handling of rows with a missing value.

    Raises:
        DataError: The examples cannot be read, or no model can be trained on them.
    """
    from handrail_train.data.table import examples_of, read_table  # noqa: PLC0415 - not to plan

    if dataset in BUNDLED:
        loaded = Loaded(examples=_bundled(dataset, features, drop))
    else:
        path = Path(dataset).expanduser()
        names = None if target is None or not features else [*features, target]
        table = read_table(path, SUFFIXES[path.suffix.lower()], names)
        examples, dropped = examples_of(
            table, str(path), target or "", features, drop, drop_missing=missing == "drop"
        )
        loaded = Loaded(examples=examples, dropped=dropped)
    _check_classes(loaded.examples, dataset)
    return loaded


def stamp_of(dataset: str) -> dict[str, int] | None:
    """Return the size of a file and when it last changed, in nanoseconds; None without a file.

    Where both are the same, its content is not looked at.
    """
    if dataset in BUNDLED:
        return None
    try:
        found = Path(dataset).expanduser().stat()
    except (OSError, RuntimeError):  # RuntimeError: the user of a home is unknown.
        return None
    return {"size": found.st_size, "mtime": found.st_mtime_ns}


def _bundled(name: str, features: Sequence[str], drop: Sequence[str]) -> Examples:
    from handrail_train.data.examples import Examples  # noqa: PLC0415 - not to plan

    if features or drop:
        raise DataError(
            f"{name} is used as it is, with all of its columns",
            ways_out=("leave out --features and --drop",),
        )
    np = import_module("numpy")
    found = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    classes, codes = np.unique(found.target, return_inverse=True)
    # Names of classes are clearer than numbers, if there are any.
    named = [str(found.target_names[number]) for number in classes]
    order = sorted(range(len(named)), key=named.__getitem__)
    whole = all(each.isdecimal() for each in named)
    places = np.argsort(order)
    return Examples(
        features=np.ascontiguousarray(found.data, dtype="float64"),
        codes=codes.astype("int64") if whole else places[codes].astype("int64"),
        classes=classes.astype("int64") if whole else np.array(sorted(named)),
        columns=tuple(str(each) for each in found.feature_names),
    )


def _check_classes(examples: Examples, dataset: str) -> None:
    """Check that a classifier can learn the examples.

    Raises:
        DataError: There are too few classes, or a class is too small to be divided.
    """
    labels = [str(each) for each in examples.classes.tolist()]
    if len(labels) < 2:
        raise DataError(
            f"{dataset}: there is only one class, {labels[0]!r}",
            ways_out=("give a table with rows of at least two classes",),
        )
    counts = import_module("numpy").bincount(examples.codes, minlength=len(labels)).tolist()
    small = [f"{label!r}" for label, count in zip(labels, counts, strict=True) if count < 3]
    if small:
        raise DataError(
            f"{dataset}: a class needs at least 3 rows, to be divided into training, validation "
            f"and test; too few have {some_of(small)}",
            ways_out=("add rows of them, or leave them out", "check that --target names a class"),
        )
