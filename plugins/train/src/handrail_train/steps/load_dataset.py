"""load_dataset: read the data, check it, divide it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from handrail import BaseStep, SourceChangedError, StepResult
from handrail.errors import describe
from handrail_storage import count_text
from handrail_train.context import TrainContext
from handrail_train.errors import TrainError
from handrail_train.names import cut

if TYPE_CHECKING:
    from handrail_train.data import TableEncoder


_LETTERS = 190  # Of a line about columns, which is shown whole in some lines of a terminal.
_MOST_LINES = 40  # About columns, of tables with very many.


class LoadDatasetStep(BaseStep[TrainContext]):
    """Read the data, check that a model can be trained on it, divide it."""

    name = "load_dataset"
    progress_weight = 0.15
    effects = False

    def restore(self, context: TrainContext, result: StepResult) -> None:
        # Once the model is stored, the data is not needed.
        if context.model is not None:
            return
        try:
            stamp = context.options.source().stamp()
            if stamp is not None and stamp == result.data.get("stamp"):
                return
            context.use_learnt()
        except (TrainError, ImportError, OSError) as error:
            raise SourceChangedError(describe(error)) from error

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.attaching import attach_columns

        context.options.model_kind().check()
        stamp = context.options.source().stamp()
        learnt = context.read_dataset()
        dataset, encoder, target = learnt.dataset, learnt.encoder, learnt.dataset.target
        parts, chunk_rows = learnt.rows.counts, learnt.split.train.chunk_rows
        doubts = list(dataset.doubts(encoder, learnt.rows))
        context.dataset = {
            "fingerprint": dataset.fingerprint(),
            "rows": len(dataset),
            "dropped": dataset.dropped,
            "columns": [
                {"name": each.name, "kind": each.kind, "why": each.why} for each in encoder.columns
            ],
            "left_out": [{"name": each.name, "why": each.why} for each in encoder.dropped],
            "target": target.to_dict(),
            "doubts": doubts,
            **parts,
            "chunk_rows": chunk_rows or parts["train"],
        }
        attach_columns(context)
        for told in _told(encoder):
            context.log("columns", {"summary": told})
        for doubt in doubts:
            context.log("doubt", {"summary": doubt})
        left_out = f", {count_text(dataset.dropped, 'row')} left out" if dataset.dropped else ""
        in_chunks = f" in chunks of {chunk_rows:,}" if chunk_rows else ""
        told = f"{len(target.classes)} classes" if target.task == "classification" else "regression"
        summary = (
            f"{count_text(len(dataset), 'row')}{in_chunks}{left_out}, "
            f"{_counted(encoder)}, {told} ({target.why})"
        )
        data = {
            "summary": " · ".join((summary, *doubts)),
            "rows": len(dataset),
            "columns": len(encoder.columns),
            "task": target.task,
            **({"chunk_rows": chunk_rows} if chunk_rows else {}),
            **({"classes": len(target.classes)} if target.task == "classification" else {}),
            **parts,
            **({} if stamp is None else {"stamp": stamp}),
        }
        return StepResult(data=data)


def _told(encoder: TableEncoder) -> Iterator[str]:
    """Yield which columns are taken for what, and why, some of them at a time."""
    decided: dict[str, dict[str, list[str]]] = {}
    for each in encoder.columns:
        decided.setdefault(f"taken for {each.kind}", {}).setdefault(each.why, []).append(each.name)
    for left in encoder.dropped:
        decided.setdefault("left out", {}).setdefault(left.why, []).append(left.name)
    lines = [
        (len(some), f"{what}: {', '.join(some)} ({why})")
        for what, reasons in decided.items()
        for why, names in reasons.items()
        for some in _some_at_a_time(names, _LETTERS - len(what) - len(why))
    ]
    yield from (line for _, line in lines[:_MOST_LINES])
    if more := sum(count for count, _ in lines[_MOST_LINES:]):
        yield f"and {count_text(more, 'other')}, which the report and card.md list"


def _some_at_a_time(names: Sequence[str], room: int) -> Iterator[list[str]]:
    """Yield the names in parts of so many letters."""
    part: list[str] = []
    for name in names:
        if part and sum(map(len, part)) + 2 * len(part) + len(name) > room:
            yield part
            part = []
        part.append(cut(name, room))
    yield part


def _counted(encoder: TableEncoder) -> str:
    """Return how many columns there are of each kind, such as `3 numbers, 1 category`."""
    kinds = Counter(each.kind for each in encoder.columns)
    plurals = {"category": "categories"}
    counted = [count_text(count, kind, plurals.get(kind)) for kind, count in kinds.items()]
    if encoder.dropped:
        counted.append(f"{len(encoder.dropped)} left out")
    return ", ".join(counted)
