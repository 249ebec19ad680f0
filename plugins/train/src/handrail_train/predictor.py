"""Predictor: a trained model that knows the table it was trained on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from handrail.frozen import frozen
from handrail_train.data.encoder import TableEncoder
from handrail_train.data.rows import table_of
from handrail_train.data.target import Target
from handrail_train.errors import ModelError
from handrail_train.models.kind import ModelKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail_train.data.examples import Examples, Floats, Labels

SCHEMA = 1
_AT_ONCE = 1 << 15  # Rows; of each, a network has a number for each unit of a layer.


@frozen(eq=False)
class Predictor:
    """A trained model, with one interface for all kinds.

    Attributes:
        kind: The kind of model.
        model: The model of its library, such as an estimator of scikit-learn.
        encoder: How the columns of a table become the numbers that it takes.
        target: What it tells.
    """

    kind: ModelKind[Any]
    model: Any
    encoder: TableEncoder
    target: Target

    @property
    def schema(self) -> list[dict[str, Any]]:
        """The columns that it needs: the `name`, `family` and `kind` of each, and its `values`."""
        return [each.described() for each in self.encoder.columns]

    @property
    def classes(self) -> list[Any]:
        """The classes in the order of `predict_proba`; of a regression, none."""
        return list(self.target.classes)

    def predict(self, rows: Any) -> Labels:
        """Return the class, or the number, of each row.

        Args:
            rows: An Arrow table, a dict or several, or a frame of pandas, polars or duckdb. The
                order of its columns, and columns that it has besides, mean nothing.

        Raises:
            DataError: A column is missing, or holds something else than in the training.
        """
        if self.target.task == "regression":
            return self.numbers(self._encoded(rows))
        found: Labels = self.target.labels[self.predict_proba(rows).argmax(axis=1)]
        return found

    def predict_proba(self, rows: Any) -> Floats:
        """Return the probability of each class: a row for each row, in the order of `classes`.

        Raises:
            DataError: A column is missing, or holds something else than in the training.
            ModelError: It tells a number, and no class.
        """
        if self.target.task == "regression":
            raise ModelError(
                f"the model tells {self.target.name}, a number, which has no probability",
                ways_out=("take predict",),
            )
        return self.probabilities(self._encoded(rows))

    def _encoded(self, rows: Any) -> Floats:
        return self.encoder.encode(table_of(rows), self.kind.encoding)

    def probabilities(self, features: Floats) -> Floats:
        """Return how probable each class is, from the numbers of rows.

        Raises:
            ModelError: The kind gives something else.
        """
        return checked_probabilities(self.kind, self.model, features, len(self.target.classes))

    def numbers(self, features: Floats) -> Floats:
        """Return the number of each row, from the numbers of rows.

        Raises:
            ModelError: The kind gives something else.
        """
        return self._in_unit(checked_numbers(self.kind, self.model, features))

    def _in_unit(self, numbers: Floats) -> Floats:
        if self.kind.encoding == "scaled":
            return numbers * self.target.deviation + self.target.mean
        return numbers

    def of(self, examples: Examples) -> Floats:
        """Return the probabilities of examples, or their numbers in the unit of the target."""
        found = told_of(self.kind, self.model, examples)
        return self._in_unit(found) if examples.is_regression else found


def told_of(kind: ModelKind[Any], model: Any, examples: Examples) -> Floats:
    """Return the probabilities of examples, or their numbers as the kind gives them.

    Raises:
        ModelError: The kind gives something else.
    """
    classes = len(examples.target.classes)
    pieces = (
        chunk.features[start : start + _AT_ONCE]
        for chunk in examples.chunks()
        for start in range(0, len(chunk) or 1, _AT_ONCE)
    )
    found = [
        checked_numbers(kind, model, features)
        if examples.is_regression
        else checked_probabilities(kind, model, features, classes)
        for features in pieces
    ]
    whole: Floats = found[0] if len(found) == 1 else import_module("numpy").concatenate(found)
    return whole


def checked_probabilities(
    kind: ModelKind[Any], model: Any, features: Floats, classes: int
) -> Floats:
    """Return the probability of each class.

    Raises:
        ModelError: The kind gives something else.
    """
    if not len(features):  # Estimators refuse that.
        empty: Floats = import_module("numpy").empty((0, classes))
        return empty
    found = kind.probabilities(model, features)
    _check_shape(kind, "probabilities", found, (len(features), classes))
    return found


def checked_numbers(kind: ModelKind[Any], model: Any, features: Floats) -> Floats:
    """Return a number for each row.

    Raises:
        ModelError: The kind gives something else.
    """
    if not len(features):
        empty: Floats = import_module("numpy").empty(0)
        return empty
    found = kind.numbers(model, features)
    _check_shape(kind, "numbers", found, (len(features),))
    return found


def _check_shape(kind: ModelKind[Any], method: str, found: Any, wanted: tuple[int, ...]) -> None:
    shape = getattr(found, "shape", None)
    if shape != wanted:
        raise ModelError(
            f"{type(kind).__name__}.{method} gives an array of the shape {shape}, and has to "
            f"give {wanted}: a row for each example, a column for each class",
            ways_out=(f"update {type(kind).__module__}, or take another --kind",),
        )


def table_to_dict(encoder: TableEncoder, target: Target) -> dict[str, Any]:
    """Return what a stored version knows of its table, in JSON types."""
    return {"schema": SCHEMA, "target": target.to_dict(), "encoder": encoder.to_dict()}


def table_from_dict(found: Mapping[str, Any]) -> tuple[TableEncoder, Target]:
    """Return the result of `table_to_dict` as values.

    Raises:
        DataError: It is malformed.
    """
    return (
        TableEncoder.from_dict(cast("Any", found).get("encoder", {})),
        Target.from_dict(cast("Any", found).get("target", {})),
    )
