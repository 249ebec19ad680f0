"""The frozen result of planning: Plan and PlannedStep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from handrail.entry import innermost
from handrail.frozen import frozen, values_of
from handrail.origin import UNKNOWN, Origin
from handrail.own_points import html_of
from handrail.plan.forms import differences, identity_json, unfolded
from handrail.plan.weights import Weights
from handrail.steps import BaseStep, is_async

if TYPE_CHECKING:
    from handrail.limits import Limits, RollbackPolicy
    from handrail.plan.edits import History
    from handrail.wrapper import StepWrapper


NO_INPUTS: Mapping[str, str] = {}


@frozen
class Layer:
    """A wrapper around a planned step, with its origin.

    Attributes:
        name: Short name of the wrapper, such as `timing`.
        origin: Origin of the wrapper.
        wrapper: The wrapper itself.
        reason: The line of the settings that added it, or an empty string.
        changes: Whether it may change what the step does, and does not only watch or retry.
    """

    name: str
    origin: Origin
    wrapper: StepWrapper[Any] = field(repr=False)
    reason: str = ""
    changes: bool = False

    @property
    def title(self) -> str:
        """Its name, and whether it changes the step."""
        return f"{self.name} (changes)" if self.changes else self.name

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "origin": values_of(self.origin),
            "reason": self.reason,
            "changes": self.changes,
        }


@frozen(eq=False)
class Facts:
    """The constant facts about a planned step; steps of one class share them if they are equal.

    Attributes:
        weight: Its progress weight as it was given, as an exact fraction.
        weight_share: Its part of the plan's total weight, 0.0 to 1.0.
        origin: Origin of the step.
        reason: The reason for its place.
        required: Source of the requirement, such as `handrail.toml:4`; empty if not required.
        final: Whether no pack may replace, remove or wrap it: it says so, or it is required.
        layers: The layers around it, outermost first.
        always_run: Whether it closes the plan and runs in any case.
        effects: Whether a dry run must not execute it.
        group: Name of the group in which it stands, or None.
        lane: Number of its lane in that group, from 0, or None.
        plain: Whether its `execute` is called to run it: no layer, and no time to watch.
        skippable: Whether it has a `can_skip` of its own.
        undoable: Whether a `rollback` takes back what it did: its own, or that of a layer of its
            author that says `changes = True`.
        undoes_items: Whether an undo takes back items that it maps, as far as its code shows.
        leaves: Whether a kill in the middle of it may leave things behind that nothing takes back.
        reverts: Whether an undo has something to call: its `rollback`, or that of a layer.
        resumable: Whether it has a `resume` of its own.
        restorable: Whether it has a `restore` of its own.
        by_project: Whether the project has put it there, and not the action or a pack.
        limits: The limits on its attempts; None without any.
        rollback_policy: The policy for its undo; None for the usual one.
        undo_before: Names of steps whose undo waits for that of this one.
    """

    weight: Fraction
    weight_share: float
    origin: Origin
    reason: str
    required: str
    final: bool
    layers: tuple[Layer, ...]
    always_run: bool
    effects: bool
    group: str | None
    lane: int | None
    plain: bool
    skippable: bool
    undoable: bool
    undoes_items: bool
    leaves: bool
    reverts: bool
    resumable: bool
    restorable: bool
    by_project: bool = False
    limits: Limits | None = None
    rollback_policy: RollbackPolicy | None = None
    undo_before: tuple[str, ...] = ()


@frozen(eq=False, kw_only=False)
class PlannedStep:
    """One step of a plan; its constant facts are read once.

    Attributes:
        name: Name of the step, regardless of wrappers.
        step: The step with its layers around it.
        facts: The other constant facts; equal ones are shared by steps of one class.
        others: Its other names: inner names, aliases.
        inner: The plan of the run that the step makes, if it makes one.
        inputs: The outputs of earlier steps that params of that run are, by the param.
    """

    name: str
    step: BaseStep[Any] = field(repr=False)
    facts: Facts
    others: tuple[str, ...]
    inner: Plan | None = None
    inputs: Mapping[str, str] = NO_INPUTS

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it answers to: its name, inner names, aliases."""
        return (self.name, *self.others)

    @property
    def weight_share(self) -> float:
        """Its part of the plan's total weight, 0.0 to 1.0."""
        return self.facts.weight_share

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that were put around it, outermost first."""
        return self.facts.layers

    @property
    def origin(self) -> Origin:
        """Where the step came from."""
        return self.facts.origin

    @property
    def reason(self) -> str:
        """The reason for its place."""
        return self.facts.reason

    @property
    def always_run(self) -> bool:
        """Whether it closes the plan and runs in any case."""
        return self.facts.always_run

    @property
    def limits(self) -> Limits | None:
        """The limits on its attempts; None without any."""
        return self.facts.limits

    @property
    def rollback_policy(self) -> RollbackPolicy | None:
        """The policy for its undo; None for the usual one."""
        return self.facts.rollback_policy

    @property
    def may_overrun(self) -> bool:
        """Whether a time limit of it is noticed only when it logs, reports progress or records.

        A blocking step in a lane runs in a thread, which cannot be interrupted.
        """
        limits = self.facts.limits
        if limits is None or not limits.timed or limits.isolated or self.facts.group is None:
            return False
        return not is_async(self.step, "execute")

    @property
    def effects(self) -> bool:
        """Whether a dry run must not execute it."""
        return self.facts.effects

    @property
    def undoable(self) -> bool:
        """Whether a `rollback` takes back what it did."""
        return self.facts.undoable

    @property
    def group(self) -> str | None:
        """Name of the group in which it stands, or None."""
        return self.facts.group

    @property
    def lane(self) -> int | None:
        """Number of its lane in that group, from 0, or None."""
        return self.facts.lane

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form.

        Steps outside groups have no `group` and `lane`; `undoes_items` is there if it is true, and
        `undo_before` if it names any.
        """
        facts = self.facts
        place = {} if facts.group is None else {"group": facts.group, "lane": facts.lane}
        return {
            "name": self.name,
            "weight_share": facts.weight_share,
            "layers": [layer.to_dict() for layer in facts.layers],
            "origin": values_of(facts.origin),
            "reason": facts.reason,
            "required": facts.required or None,
            "final": facts.final,
            "undo": facts.undoable,
            **({"undoes_items": True} if facts.undoes_items else {}),
            **({"undo_before": list(facts.undo_before)} if facts.undo_before else {}),
            "resume": facts.resumable,
            "always_run": facts.always_run,
            "effects": facts.effects,
            **place,
            "limits": self._limits_to_dict(),
            "rollback_policy": facts.rollback_policy and facts.rollback_policy.to_dict(),
            **({} if self.inner is None else self._inner_to_dict(self.inner)),
        }

    def _inner_to_dict(self, inner: Plan) -> dict[str, object]:
        steps = [planned.to_dict() for planned in inner.steps]
        return {"plan": {**inner.head, "steps": steps}, "inputs": dict(self.inputs)}

    def _limits_to_dict(self) -> dict[str, object] | None:
        if self.facts.limits is None:
            return None
        overruns = {"may_overrun": True} if self.may_overrun else {}
        return {**self.facts.limits.to_dict(), **overruns}

    @property
    def identity(self) -> list[object]:
        """The values of this step in the fingerprint of the plan; the same on every machine."""
        inner = type(innermost(self.step))
        return [
            self.name,
            f"{inner.__module__}:{inner.__qualname__}",
            self.origin.pack,
            self.origin.version,
            str(self.facts.weight),
            self.always_run,
            [[layer.title, layer.origin.pack, layer.origin.version] for layer in self.layers],
            *(() if self.group is None else (self.group, self.lane)),
            *(() if self.inner is None else (self.inner.fingerprint, sorted(self.inputs.items()))),
        ]


@frozen
class Group:
    """Steps of a plan that run side by side, in lanes.

    Attributes:
        name: Name of the group.
        lanes: The positions of the steps of each lane, which follow each other in the plan.
        limit: How many lanes run at the same time; None for all of them.
    """

    name: str
    lanes: tuple[range, ...]
    limit: int | None = None

    @property
    def span(self) -> range:
        """The positions of all its steps."""
        return range(self.lanes[0].start, self.lanes[-1].stop)


def groups_of(steps: Sequence[PlannedStep], limits: Mapping[str, int | None]) -> tuple[Group, ...]:
    """Return the groups of a plan in order.

    Args:
        steps: The steps of the plan.
        limits: For each group, how many of its lanes run at the same time.
    """
    if not limits:
        return ()
    lanes: dict[str, dict[int | None, range]] = {}
    for position, planned in enumerate(steps):
        if planned.group is not None:
            found = lanes.setdefault(planned.group, {})
            first = found.get(planned.lane, range(position, position)).start
            found[planned.lane] = range(first, position + 1)
    return tuple(
        Group(name=name, lanes=tuple(found.values()), limit=limits[name])
        for name, found in lanes.items()
    )


@frozen(eq=False)
class Plan:
    """The steps of one action in their final order.

    Attributes:
        action: Name of the action.
        steps: The steps; those with `always_run` come last.
        origin: Origin of the action.
        groups: The groups of steps that run side by side, in order; most plans have none.
        history: The input of planning, for its explanation; None for a plain registry.
        locked: True if it matches the project's lock; False if the lock was ignored on purpose;
            None if there is no lock.
        left_out: The names of steps that were left out of it on purpose, as by `run --only`.
    """

    __slots__ = ("__dict__",)  # For what is computed when it is read.

    action: str
    steps: tuple[PlannedStep, ...]
    origin: Origin = UNKNOWN
    groups: tuple[Group, ...] = ()
    history: History | None = field(default=None, repr=False)
    locked: bool | None = None
    left_out: frozenset[str] = frozenset()

    @property
    def part(self) -> bool:
        """Whether steps were left out of it on purpose."""
        return bool(self.left_out)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies the plan: the first 16 hex digits of a SHA-256 over its steps and layers."""
        return sha256(identity_json(self).encode()).hexdigest()[:16]

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """The position of a step by every name that it answers to."""
        return {
            name: position for position, planned in enumerate(self.steps) for name in planned.names
        }

    def span(self, name: str) -> range | None:
        """Return the positions of the step that answers to `name`, or of the group of that name."""
        position = self.positions.get(name)
        if position is not None:
            return range(position, position + 1)
        return next((group.span for group in self.groups if group.name == name), None)

    def before(self, span: range) -> tuple[range, ...]:
        """Return the positions of the steps that have ended before the first step of `span` begins.

        Those are not all positions before it: other lanes run at the same time.
        """
        for group in self.groups:
            for lane in group.lanes:
                if span.start in lane and span != group.span:
                    return range(group.span.start), range(lane.start, span.start)
        return (range(span.start),)

    def waiting_for(self, names: Iterable[str]) -> Iterator[int]:
        """Yield the positions of steps by these names, and of those that wait for them in turn.

        Args:
            names: The steps that are named in the `undo_before` of another one.
        """
        left, known = list(names), set[int]()
        while left:
            position = self.positions.get(left.pop(0))
            if position is not None and position not in known:
                known.add(position)
                left += self.steps[position].facts.undo_before
                yield position

    @cached_property
    def ordinary(self) -> int:
        """The number of steps before those with `always_run`, which close the plan."""
        count = len(self.steps)
        while count and self.steps[count - 1].always_run:
            count -= 1
        return count

    @property
    def closes(self) -> bool:
        """Whether something is done at the end of a success, after the ordinary steps."""
        return self.ordinary < len(self.steps) or bool(self.inner)

    def group_at(self, position: int) -> Group:
        """Return the group in which the step at `position` stands."""
        name = self.steps[position].group
        return next(group for group in self.groups if group.name == name)

    @cached_property
    def weights(self) -> Weights:
        """The exact percentage after each step; created when progress is reported."""
        return Weights(self)

    @cached_property
    def isolates(self) -> bool:
        """Whether any step runs in a process of its own."""
        return any(
            planned.facts.limits is not None and planned.facts.limits.isolated
            for planned in self.steps
        )

    @cached_property
    def has_async(self) -> bool:
        """Whether any step is written as `async def`."""
        return any(
            is_async(planned.step) if planned.inner is None else planned.inner.has_async
            for planned in self.steps
        )

    @cached_property
    def size(self) -> int:
        """The number of steps that it runs: those of a run that a step makes, in its place."""
        return len(self.steps) + sum(each.size - 1 for each in self.inner)

    @cached_property
    def inner(self) -> list[Plan]:
        """The plans of the runs that steps make."""
        return [each.inner for each in self.steps if each.inner is not None]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PlannedStep]:
        return iter(self.steps)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: `action`, `fingerprint`, `origin`, `steps`; `groups`, `actions`.

        It has the steps of runs in the place of those that make the runs, which are `actions`.
        """
        whole = {**self.head, "steps": [planned.to_dict() for planned in self.steps]}
        return unfolded(whole) if self.inner else whole

    _repr_html_ = html_of

    @property
    def head(self) -> dict[str, object]:
        """The JSON form without the steps."""
        groups = [{"name": each.name, "concurrency": each.limit} for each in self.groups]
        return {
            "action": self.action,
            "fingerprint": self.fingerprint,
            "origin": values_of(self.origin),
            **({"groups": groups} if groups else {}),
        }

    def diff(self, other: Plan) -> list[str]:
        """Return the changes from this plan to `other`, one `+`, `-` or `~` line per step."""
        return differences(self, other)
