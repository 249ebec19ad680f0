"""Previews the undo of a run step by step, before the run is claimed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.builtin.records.run_record import counted
from handrail.builtin.records.step_state import undoable
from handrail.errors import RefusedError, describe
from handrail.frozen import as_json, frozen, replace
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail import Origin, Plan, PlannedStep, StepResult
    from handrail.journal import Journal
    from handrail.journal.records import RunRow
    from handrail.recovery import Recovery


@frozen
class StepUndo:
    """A preview of the undo of one step.

    Attributes:
        step: Name of the step.
        origin: Where it came from, or None if the plan no longer has it.
        lines: The lines of its `preview_rollback`, or its error; empty if nothing is left to undo,
            and None if the step has no preview.
        recorded: The number of values that it recorded for its undo, by key.
        items: The number of its items that are undone, or were perhaps begun.
        waits_for: The steps for whose undo it waits: while that fails, it is not undone.
        refusal: Why the step would refuse to be undone now, or None.
    """

    step: str
    origin: Origin | None
    lines: tuple[str, ...] | None
    recorded: Mapping[str, int]
    items: int = 0
    waits_for: tuple[str, ...] = ()
    refusal: RefusedError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `items`, `waits_for` and `refused` are there if there are any."""
        names = ("step", "origin", "lines", "recorded")
        told = {name: as_json(getattr(self, name)) for name in names}
        refused = None if self.refusal is None else self.refusal.to_dict()
        more = {"items": self.items, "waits_for": list(self.waits_for), "refused": refused}
        return {**told, **{name: each for name, each in more.items() if each}}


def preview_rollback(recovery: Recovery) -> tuple[StepUndo, ...]:
    """Return previews of an undo in its order, the last step first.

    The context has its stored fields; transient ones are not restored.

    Raises:
        ContextError: A stored value no longer matches the type of its context field.
    """
    items = items_to_undo(recovery.journal, recovery.recorded.number)
    run, place = recovery.seen()
    plan, results, context = recovery.plan, run.line.finished, run.line.context
    row = recovery.recorded
    found = [
        StepUndo(step=name, origin=None, lines=("it is not in the plan any more",), recorded={})
        for name in reversed(place.gone)
    ]
    last = min(len(results), run.plan.ordinary) - 1
    undoes = row.direction == "undo"
    failed = plan.steps[place.failed[0]] if undoes and place.failed is not None else None
    unsure = place.unsure - run.mapped.keys()
    parts = list(recovery.parts())
    for position in run.undo_order(failed, last):
        planned, result = plan.steps[position], results[position]
        many = sum(items.get((planned.name, n), 0) for n in run.mapped.get(position, ()))
        if not (planned.facts.reverts or many) or result.skipped or position in unsure:
            continue
        if planned.inner is not None:
            found += _of_parts(recovery, planned, [row for step, row in parts if step is planned])
            continue
        left = [attempt for _, attempt in reversed(place.leftovers.get(position, []))]
        mine = left if position in place.undone else [result, *left]
        run.line.current, context.current_step = position, planned.name
        found += [_of_step(planned, context, each, many) for each in mine[:1]]
        found += [_of_step(planned, context, each) for each in mine[1:]]
    return tuple(_with_waiting(found, plan))


def _of_parts(
    recovery: Recovery, planned: PlannedStep, rows: Iterable[RunRow]
) -> Iterator[StepUndo]:
    """Yield the undos of the steps of the runs that a step has made, under its name."""
    for row in rows:
        if row.outcome == "rolled_back":
            continue
        for undo in preview_rollback(recovery.of_part(planned, row, "rollback")):
            waits = tuple(f"{planned.name}.{each}" for each in undo.waits_for)
            yield replace(undo, step=f"{planned.name}.{undo.step}", waits_for=waits)


def _with_waiting(found: Sequence[StepUndo], plan: Plan) -> Iterator[StepUndo]:
    """Yield the undos, each with those before it for which it waits."""
    waits: dict[str, list[str]] = {}
    for each in found:
        yield replace(each, waits_for=(*each.waits_for, *waits.get(each.step, ())))
        planned = plan.steps[plan.positions[each.step]] if each.step in plan.positions else None
        for name in () if planned is None else planned.facts.undo_before:
            if name in plan.positions:
                waits.setdefault(plan.steps[plan.positions[name]].name, []).append(each.step)


def items_to_undo(journal: Journal, number: int) -> dict[tuple[str, int], int]:
    """Return how many items of each attempt of a step are to be undone."""
    found: dict[tuple[str, int], int] = {}
    for count in journal.chunk_counts(number):
        if many := undoable(count):
            found[count.step, count.n] = found.get((count.step, count.n), 0) + many
    return found


def _of_step(planned: PlannedStep, context: Any, result: StepResult, items: int = 0) -> StepUndo:
    lines, error = _lines(planned, context, result)
    return StepUndo(
        step=planned.name,
        origin=planned.origin,
        lines=lines,
        recorded=counted(result.rollback_data),
        items=items,
        refusal=error if isinstance(error, RefusedError) else None,
    )


@calls_user_code
def _lines(
    planned: PlannedStep, context: Any, result: StepResult
) -> tuple[tuple[str, ...] | None, Exception | None]:
    try:
        answer = planned.step.preview_rollback(context, result)
        if answer is None:
            return None, None
        return tuple(answer.splitlines() if isinstance(answer, str) else map(str, answer)), None
    except Exception as error:  # noqa: BLE001 - a preview may fail, which does not concern the undo
        return (f"cannot be previewed: {describe(error)}",), error
