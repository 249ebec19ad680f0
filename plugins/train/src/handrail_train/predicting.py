"""The predict action: a stored model tells what it knows of the rows of a table."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import IO, TYPE_CHECKING, Annotated, Any, ClassVar, TypedDict

from pydantic import Field, field_validator

from handrail import (
    ActionContext,
    Argument,
    BaseAction,
    BaseStep,
    BaseStepContext,
    StepRegistry,
    StepResult,
)
from handrail_storage import StorageContext, count_text, size_text
from handrail_storage.inputs import checked
from handrail_train.errors import ContainmentError, DataError, StorageError
from handrail_train.store import DEFAULT, create, open_store, parse_store
from handrail_train.table_params import TableParams

if TYPE_CHECKING:
    from handrail_storage import Place, Store, Stored
    from handrail_train.predictor import Predictor

_WRITTEN = (".parquet", ".csv", ".tsv", ".jsonl", ".arrow", ".feather")


class PredictParams(TableParams):
    """Let a stored model tell what it knows of the rows of a table."""

    model: Annotated[str, Argument()] = Field(
        description="Version of a model: people@3, or people for the latest one"
    )
    data: Annotated[str, Argument()] = Field(
        description="Table, as for train: a file, a folder or a pattern, s3://..., a database"
    )
    out: Annotated[str, Argument()] = Field(
        description=f"File to write, which must not be there yet: {', '.join(_WRITTEN)}; a path, "
        "or s3://bucket/path"
    )
    store: str = Field(default=DEFAULT, description="Store of models")
    table: str | None = Field(default=None, description="Table of a database")
    query: str | None = Field(default=None, description="Query of a database, in place of a table")
    probabilities: bool = Field(
        default=False, description="Write the probability of each class, too"
    )
    bare: bool = Field(
        default=False, description="Write what is told without the columns of the table"
    )
    retries: int = Field(
        default=8,
        ge=0,
        le=100,
        description="Number of retries if the storage fails temporarily",
    )

    @field_validator("out")
    @classmethod
    def _known_format(cls, out: str) -> str:
        if not out.lower().endswith(_WRITTEN):
            raise ValueError(f"give a file whose name ends in {', '.join(_WRITTEN)}")
        return out

    @field_validator("store", "out")
    @classmethod
    def _known_place(cls, place: str) -> str:
        return checked(place, parse_store)

    def place(self) -> tuple[Place, str]:
        """Return the place above the file to write, and its name there.

        Raises:
            StorageError: The address is malformed.
        """
        found = parse_store(self.out)
        return found.parent(), found.name


class PredictResult(TypedDict, total=False):
    """The result of a prediction, and its outputs in a chain.

    Attributes:
        summary: One line about it.
        out: The file.
        rows: Number of rows.
        model: The version.
    """

    summary: str
    out: str
    rows: int
    model: str


@dataclass
class PredictContext(StorageContext, ActionContext[PredictParams]):
    """State of a prediction.

    Attributes:
        version: The version that is used, such as `people@3`.
        rows: Number of rows written.
        predictor: The model, once loaded; transient.
    """

    _containment_error = ContainmentError
    _storing_step = "write_predictions"

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    version: str | None = None
    rows: int | None = None
    predictor: Any = field(default=None, init=False, repr=False, metadata={"transient": True})

    def use_predictor(self) -> Predictor:
        """Return the model, loaded.

        Raises:
            StorageError: The store failed or refused.
            VersionError: The version does not exist, or differs from its manifest.
        """
        from handrail_train.versions import Versions  # noqa: PLC0415 - not to plan

        if self.predictor is None:
            options = self.options
            versions = Versions(
                open_store(options.store, retries=options.retries, on_status=self.set_status)
            )
            # The version that is latest now may not be so when the run goes on.
            version = versions.get(self.version or options.model)
            self.version = version.reference
            self.predictor = versions.load(version)
        found: Predictor = self.predictor
        return found

    def use_target(self) -> tuple[Store, str]:
        """Return where the file is written, and its key there."""
        options = self.options
        place, name = options.place()
        return open_store(place, retries=options.retries, on_status=self.set_status), name


class LoadModelStep(BaseStep[PredictContext]):
    """Load the model, and see that nothing is where the file is to be."""

    name = "load_model"
    progress_weight = 0.2
    effects = False

    def execute(self, context: PredictContext) -> StepResult:
        predictor = context.use_predictor()
        store, key = context.use_target()
        if store.stat(key) is not None:
            raise _is_there(context)
        target = predictor.target
        told = target.name if target.task == "regression" else f"{target.name}, of "
        if target.task != "regression":
            told += f"{count_text(len(target.classes), 'class', 'classes')}"
        needs = count_text(len(predictor.encoder.columns), "column")
        return StepResult(data={"summary": f"{context.version} tells {told}, from {needs}"})


class WritePredictionsStep(BaseStep[PredictContext]):
    """Let the model tell of each row, and write that to a new file."""

    name = "write_predictions"
    progress_weight = 0.8

    def execute(self, context: PredictContext) -> StepResult:
        from handrail_train.data.spool import Spool  # noqa: PLC0415 - not to plan

        context.needs("load_model")
        options, source = context.options, context.options.source()
        predictor = context.use_predictor()
        table = Spool.of(source.tables(texts=_texts(predictor)), source.shown)

        def told() -> Iterator[Any]:
            done = 0
            for rows in table.batches():
                yield told_of(
                    predictor, rows, probabilities=options.probabilities, bare=options.bare
                )
                done += rows.num_rows
                context.set_progress(done, max(table.num_rows, 1))

        content = written(told(), options.out)
        store, key = context.use_target()
        mark = context.mark
        context.record_rollback("mark", mark)
        store.prepare(lambda folder: context.record_rollback("folders", folder))
        for folder in store.missing_folders([key]):
            context.record_rollback("folders", folder)
        if not create(store, key, content, mark):
            raise _is_there(context)
        store.flush([key])
        context.rows = table.num_rows
        rows = count_text(table.num_rows, "row")
        summary = f"{rows} in {options.out} · {size_text(len(content))}"
        return StepResult(data={"summary": summary, "rows": table.num_rows})

    def rollback(self, context: PredictContext, result: StepResult) -> None:
        store, found = _own(context, result)
        if found is not None:
            store.delete_found([found])
        store.withdraw([str(each) for each in result.rollback_data.get("folders", [])])

    def preview_rollback(self, context: PredictContext, result: StepResult) -> Iterator[str]:
        _, found = _own(context, result)
        if found is not None:
            yield f"{context.options.out} deleted ({size_text(found.size)})"

    def preview(self, context: PredictContext) -> str:
        return f"write {context.options.out}"


def _own(context: PredictContext, result: StepResult) -> tuple[Store, Stored | None]:
    """Return the file of this run, where it is still what was written."""
    store, key = context.use_target()
    found = store.stat(key)
    marks = result.rollback_data.get("mark", [])
    mine = found is not None and found.mark in marks and found.run == context.run
    return store, found if mine else None


def _is_there(context: PredictContext) -> StorageError:
    return StorageError(
        f"{context.options.out} is there already", ways_out=("give another file, or remove it",)
    )


def _texts(predictor: Predictor) -> list[str]:
    """Return the columns that were texts in the training, whatever they look like here."""
    return [each.name for each in predictor.encoder.columns if each.family == "text"]


def told_of(predictor: Predictor, rows: Any, *, probabilities: bool, bare: bool) -> Any:
    """Return what a model tells of a table, as a `pyarrow.Table`.

    Args:
        predictor: The model.
        rows: The table.
        probabilities: Whether the probability of each class is told, too.
        bare: Whether the columns of the table are left out.

    Raises:
        DataError: A column is missing, or holds something else than in the training.
    """
    pa = import_module("pyarrow")
    if probabilities:
        shares = predictor.predict_proba(rows)
        found = predictor.target.labels[shares.argmax(axis=1)] if len(shares) else shares[:, 0]
    else:
        shares, found = None, predictor.predict(rows)
    columns = {f"predicted_{predictor.target.name}": pa.array(found)}
    if shares is not None:
        for place, label in enumerate(predictor.classes):
            columns[f"probability_{label}"] = pa.array(shares[:, place])
    table = pa.table({}) if bare else rows
    for name, values in columns.items():
        if name in table.column_names:
            raise DataError(
                f"the table has a column {name!r} already", ways_out=("leave it out: --bare",)
            )
        table = table.append_column(name, values) if table.num_columns else pa.table({name: values})
    return table


class _Lines:
    """Writes tables as JSON Lines, as the writers of pyarrow write other formats."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None: ...

    def write_table(self, table: Any) -> None:
        for row in table.to_pylist():
            self._out.write(json.dumps(row, default=str).encode() + b"\n")


def written(tables: Iterable[Any], name: str) -> bytes:
    """Return the rows of `pyarrow.Table`s of one schema as the content of a file with that name.

    Raises:
        DataError: The format has no place for a column.
    """
    pa, out = import_module("pyarrow"), io.BytesIO()
    parts = iter(tables)
    first = next(parts)
    try:
        with _writer(name.lower(), first.schema, out) as writer:
            for table in chain([first], parts):
                writer.write_table(table)
    except pa.ArrowException as error:
        raise DataError(
            f"{name} cannot hold this table: {error}", ways_out=("write .parquet, or --bare",)
        ) from error
    return out.getvalue()


def _writer(name: str, schema: Any, out: IO[bytes]) -> Any:
    """Return what writes tables of a schema in the format that a name ends in."""
    if name.endswith(".parquet"):
        return import_module("pyarrow.parquet").ParquetWriter(out, schema)
    if name.endswith(".jsonl"):
        return _Lines(out)
    if name.endswith((".csv", ".tsv")):
        csv = import_module("pyarrow.csv")
        delimiter = "," if name.endswith(".csv") else "\t"
        return csv.CSVWriter(out, schema, write_options=csv.WriteOptions(delimiter=delimiter))
    return import_module("pyarrow").ipc.new_file(out, schema)


class PredictAction(BaseAction[PredictParams]):
    """Let a stored model tell what it knows of the rows of a table; what fails is taken back."""

    action_name = "predict"
    context_class: ClassVar[type[BaseStepContext] | None] = PredictContext

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        registry.register(LoadModelStep())
        registry.register(WritePredictionsStep())

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        yield from self.params.source().missing_input()
        out = self.params.out
        if parse_store(out).local and os.path.lexists(os.path.expanduser(out)):
            yield "out", f"{out} is there already"

    def result(self, context: Any) -> PredictResult:
        found: Mapping[str, Any] = {
            "out": context.options.out,
            "rows": context.rows,
            "model": context.version,
        }
        shown: PredictResult = {
            "summary": f"{context.version} told of {count_text(context.rows or 0, 'row')} in "
            f"{context.options.out}"
        }
        return {**shown, **found}  # type: ignore[typeddict-item]
