"""What a model learns to say: one of some classes, or a number."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.frozen import from_json, frozen
from handrail_train.data.columns import family_of
from handrail_train.errors import DataError
from handrail_train.names import cut, some_of

if TYPE_CHECKING:
    from handrail_train.data.examples import Labels, Values

Task = Literal["classification", "regression"]

_MOST_CLASSES = 20  # Whole numbers with more different values are measured, not classes.
_EXACT = 2**53  # Beyond it, floats do not represent all whole numbers.
_MOST = 1e150


@frozen
class Target:
    """What is learnt.

    Attributes:
        name: The column.
        task: Whether it is one of some classes, or a number.
        why: Why, for people.
        classes: The classes, sorted: texts, or whole numbers. Of a regression, none.
        mean: The mean of the numbers.
        deviation: Their standard deviation.
    """

    name: str
    task: Task
    why: str
    classes: tuple[str, ...] | tuple[int, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, column: Any, name: str, source: str, asked: Task | None = None) -> Target:
        """Return the target that a column is.

        Args:
            column: An Arrow column without missing values.
            name: Its name.
            source: The source, for messages.
            asked: The task that the user asked for.

        Raises:
            DataError: Nothing can be learnt from such a column.
        """
        task, why = (asked, "as asked") if asked else _inferred(column, name, source)
        if task == "classification":
            labels = _labels(column.unique(), name, source)
            classes = import_module("numpy").unique(labels).tolist()
            return cls(name=name, task=task, why=why, classes=tuple(classes))
        numbers = _numbers(column, name, source)
        return cls(
            name=name,
            task=task,
            why=why,
            mean=float(numbers.mean()),
            deviation=float(numbers.std()) or 1.0,
        )

    def values(self, column: Any, source: str) -> Values:
        """Return the places of the classes of a column, in few bytes each, or its numbers.

        Raises:
            DataError: There is a class that was not known, or something that is no number.
        """
        np = import_module("numpy")
        if self.task == "regression":
            return cast("Values", _numbers(column, self.name, source))
        encoded, classes = column.dictionary_encode().combine_chunks(), self.labels
        labels = _labels(encoded.dictionary, self.name, source)
        places = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
        if (wrong := classes[places] != labels).any():
            unknown = sorted({str(each) for each in labels[wrong].tolist()})
            raise DataError(
                f"{source}: {self.name!r} has classes that are unknown: {some_of(unknown)}"
            )
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        return cast("Values", places.astype(np.min_scalar_type(len(classes)))[indices])

    @property
    def labels(self) -> Labels:
        """The classes as an array."""
        return cast("Labels", import_module("numpy").array(self.classes))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        about: dict[str, Any] = {"name": self.name, "task": self.task, "why": self.why}
        if self.task == "classification":
            return {**about, "classes": list(self.classes)}
        return {**about, "mean": self.mean, "deviation": self.deviation}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Target:
        """Return the target with this JSON form.

        Raises:
            DataError: The JSON form is malformed.
        """
        try:
            return from_json(cls, found)
        except (ValueError, TypeError) as error:
            raise DataError(f"the target of a model is malformed: {error}") from error


def _inferred(column: Any, name: str, source: str) -> tuple[Task, str]:
    compute, types = import_module("pyarrow.compute"), import_module("pyarrow.types")
    family = family_of(column.type)
    if family in ("text", "boolean"):
        return "classification", "text" if family == "text" else "true or false"
    if family != "number":
        raise _unfit(column, name, source)
    distinct: int = compute.count_distinct(column).as_py()
    if types.is_floating(column.type) or types.is_decimal(column.type):
        floats = compute.cast(column, "float64", safe=False)
        if not compute.all(compute.equal(compute.round(floats), floats)).as_py():
            return "regression", "numbers with fractions"
    if distinct <= _MOST_CLASSES:
        return "classification", f"whole numbers, {distinct} different ones"
    return "regression", f"whole numbers, {distinct:,} different ones"


def _unfit(column: Any, name: str, source: str) -> DataError:
    types = import_module("pyarrow.types")
    binary = types.is_binary(column.type) or types.is_large_binary(column.type)
    return DataError(
        f"{source}: the target {name!r} is {column.type}, which is neither text nor a number",
        ways_out=(
            "give --target a column of classes or numbers",
            *(("or save it as text in UTF-8",) if binary else ()),
        ),
    )


def _numbers(column: Any, name: str, source: str) -> Any:
    np, compute = import_module("numpy"), import_module("pyarrow.compute")
    if family_of(column.type) not in ("number", "boolean"):
        told = cut(str(column[0].as_py()), 24)
        raise DataError(
            f"{source}: the target {name!r} is no number, such as {told!r}",
            ways_out=("learn classes: --task classification", "or give --target another column"),
        )
    if family_of(column.type) == "boolean":
        column = column.cast("int8")
    found = compute.cast(column, "float64", safe=False).to_numpy()
    if not np.isfinite(found).all() or (np.abs(found) > _MOST).any():
        raise DataError(
            f"{source}: the target {name!r} has values that are infinite or beyond {_MOST:g}",
            ways_out=("replace them by numbers, or remove those rows",),
        )
    return found


def _labels(column: Any, name: str, source: str) -> Any:
    """Return labels as an array of texts or whole numbers."""
    np, types = import_module("numpy"), import_module("pyarrow.types")
    family = family_of(column.type)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if family == "text":
        return np.array(column.to_pylist(), dtype=str)
    if family == "boolean":
        return np.array([str(each).lower() for each in column.to_pylist()], dtype=str)
    if family != "number":
        raise _unfit(column, name, source)
    if types.is_decimal(kind):
        column = column.cast("float64", safe=False)
    values = column.to_numpy()
    most = np.iinfo("int64").max if types.is_integer(kind) else _EXACT
    if (values > most).any() or (values < -most).any():
        raise DataError(
            f"{source}: the target {name!r} has numbers that are too large to be told apart",
            ways_out=("give --target a column of classes", "or write them as text"),
        )
    whole = values.astype("int64")
    if (whole == values).all():
        return whole
    raise DataError(
        f"{source}: the target {name!r} has fractions, which are no classes",
        ways_out=("learn the number: --task regression", "or make classes of its ranges first"),
    )
