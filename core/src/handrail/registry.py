"""StepRegistry: the ordered, editable list of steps from which a plan is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from handrail.entry import Entry, EntryGroup, Lane, chain, entries_for, entry_for, innermost, rewire
from handrail.errors import DuplicateStepError, InvalidStepError, StepNotFoundError
from handrail.groups import Parallel
from handrail.steps import BaseStep
from handrail.user_code import calls_user_code
from handrail.wrapper import StepWrapper

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail.context import BaseStepContext

    C = TypeVar("C", bound=BaseStepContext, default=BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound="BaseStepContext")

Wrapper = StepWrapper[Any] | Callable[[BaseStep[Any]], StepWrapper[Any]]
IfMissing = Literal["error", "skip"]


@calls_user_code
def _layer_from(wrapper: Wrapper, inner: BaseStep[Any]) -> StepWrapper[Any]:
    layer = cast("StepWrapper[Any]", wrapper)
    if not isinstance(wrapper, StepWrapper):
        layer = wrapper(inner)
    if not isinstance(cast("object", layer), StepWrapper):
        raise InvalidStepError(f"{wrapper!r} made {layer!r}, which is not a StepWrapper")
    return layer


class StepRegistry(Generic[C]):
    """An ordered list of steps that can be edited by name.

    A step is found by its name, its aliases and the names inside its wrappers, so wrapping it does
    not break anchors. A group from `parallel` is registered and inserted like a step: what is
    inserted beside one of its steps stands in the lane of that step, and what is inserted before or
    after the group by its name stands outside. Every edit takes constant time.
    """

    def __init__(self) -> None:
        self._anchors: dict[str, Entry | EntryGroup] = {}
        self._first: Entry | None = None
        self._last: Entry | None = None
        self._count = 0
        self._edits = 0
        self._compiled: tuple[int, Any] | None = None

    def register(self, step: BaseStep[C] | Parallel[C]) -> None:
        """Append a step or a group.

        Raises:
            InvalidStepError: `step` is not a valid step.
            DuplicateStepError: One of its names is taken.
        """
        for entry in self._claimed(step, None):
            self._link(entry, after=self._last)

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step with the name or alias `name`, or the group `name` with all its steps.

        Raises:
            StepNotFoundError: There is no such step, and `missing_ok` is false.
        """
        found = self._anchors.get(name)
        if found is None:
            if missing_ok:
                return
            raise StepNotFoundError.among(name, self._anchors)
        for entry in [found] if isinstance(found, Entry) else list(_steps_in(found)):
            self._unlink(entry)
            for anchor in entry.names:
                del self._anchors[anchor]

    def insert_before(
        self, name: str, step: BaseStep[C] | Parallel[C], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly before the step or group `name`.

        Args:
            name: The anchor: a name or alias of a step, or the name of a group.
            step: The new step.
            if_missing: `"skip"` to insert nothing if the anchor does not exist.

        Raises:
            StepNotFoundError: The anchor does not exist; the message suggests similar names.
            InvalidStepError: `step` is not a valid step, or it is a group and would stand in one.
            DuplicateStepError: One of its names is taken.
        """
        anchor = self._anchor(name, if_missing)
        if anchor is not None:
            for entry in self._claimed(step, anchor.lane):
                self._link(entry, after=anchor.first.previous)

    def insert_after(
        self, name: str, step: BaseStep[C] | Parallel[C], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly after the step or group `name`.

        Arguments and errors are those of `insert_before`.
        """
        anchor = self._anchor(name, if_missing)
        if anchor is not None:
            for entry in self._claimed(step, anchor.lane)[::-1]:
                self._link(entry, after=anchor.last)

    def replace(self, name: str, step: BaseStep[C]) -> None:
        """Replace the step with the name or alias `name` by `step`, inside its layers and its lane.

        The old names remain valid anchors.

        Raises:
            StepNotFoundError: There is no such step.
            InvalidStepError: `step` is not a valid step.
            DuplicateStepError: One of its names is taken by another step.
        """
        old = self._step(name, "replace")
        new = entry_for(step)
        self._claim(new, instead_of=old)
        new.stand_in_for(old)
        self._anchors.update(dict.fromkeys(new.names, new))
        self._link(new, after=old)
        self._unlink(old)

    def wrap(self, name: str, wrapper: Wrapper) -> None:
        """Put a layer around the step with the name or alias `name`, which keeps its name.

        Args:
            name: The step.
            wrapper: A StepWrapper around that step, or a function that returns one for a step,
                such as a subclass of StepWrapper.

        Raises:
            StepNotFoundError: There is no such step.
            InvalidStepError: `wrapper` does not return a StepWrapper, or wraps another step.
        """
        entry = self._step(name, "wrap")
        inner = entry.outermost
        layer = _layer_from(wrapper, inner)
        if innermost(layer) is not innermost(inner):
            raise InvalidStepError(
                f"the wrapper for step '{name}' wraps another step: {innermost(layer)!r}",
                ways_out=(f"let wrap() create it: wrap({name!r}, {type(layer).__name__})",),
            )
        if any(layer is known for known in chain(inner)):
            raise InvalidStepError(f"{layer!r} is already around step '{name}'")
        rewire(layer, inner, inner)
        entry.layers += (layer,)
        self._edits += 1

    def get_steps(self) -> list[BaseStep[C]]:
        """Return the steps in order, as a new list."""
        return [entry.outermost for entry in self.entries()]

    @property
    def total_weight(self) -> float:
        """The sum of the progress weights."""
        return math.fsum(float(entry.weight) for entry in self.entries())

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0

    def __contains__(self, name: object) -> bool:
        return name in self._anchors

    def __iter__(self) -> Iterator[BaseStep[C]]:
        return iter(self.get_steps())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' -> '.join(map(_shown, self.parts())) or 'empty'}>"

    def parts(self) -> Iterator[BaseStep[C] | Parallel[C]]:
        """Yield the steps and groups in order, as `register` takes them."""
        for group, entries in groupby(self.entries(), key=_group_around):
            if group is None:
                yield from (entry.outermost for entry in entries)
                continue
            lanes = (lane for _, lane in groupby(entries, key=attrgetter("lane")))
            steps = tuple(tuple(entry.outermost for entry in lane) for lane in lanes)
            yield Parallel(group.name, steps, group.limit, group.origin)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in order."""
        entry = self._first
        while entry is not None:
            yield entry
            entry = entry.next

    def compiled(self, make: Callable[[StepRegistry[C]], Any]) -> Any:
        """Return `make(self)`, cached until the next edit."""
        if self._compiled is None or self._compiled[0] != self._edits:
            self._compiled = (self._edits, make(self))
        return self._compiled[1]

    def _anchor(self, name: str, if_missing: IfMissing) -> Entry | EntryGroup | None:
        found = self._anchors.get(name)
        if found is None and if_missing != "skip":
            raise StepNotFoundError.among(name, self._anchors)
        return found

    def _step(self, name: str, verb: str) -> Entry:
        found = self._anchor(name, "error")
        if isinstance(found, Entry):
            return found
        raise InvalidStepError(
            f"'{name}' is a group; {verb} works on one step",
            ways_out=(f"{verb} each of its steps by its own name",),
        )

    def _claimed(self, step: BaseStep[C] | Parallel[C], lane: Lane | None) -> Sequence[Entry]:
        """Return new entries for a step or a group, with their names claimed, to link in `lane`."""
        entries = entries_for(step)
        first = entries[0]
        if first.lane is None:
            first.lane = lane
            self._claim(first)
            return entries
        group = first.lane.group
        if lane is not None:
            raise InvalidStepError(
                f"group '{group.name}' ({group.owner}) would stand in a lane of group "
                f"'{lane.group.name}'; groups do not nest",
                ways_out=(f"insert it before or after '{lane.group.name}'",),
            )
        self._claim(group, *entries)
        return entries

    def _claim(self, *new: Entry | EntryGroup, instead_of: Entry | None = None) -> None:
        """Take the names of all that is new, or of none of it."""
        claimed: dict[str, Entry | EntryGroup] = {}
        for each in new:
            for name in (each.name, *each.others):
                holder = claimed[name] if name in claimed else self._anchors.get(name)
                if holder is not None and holder is not instead_of:
                    raise DuplicateStepError(
                        f"step name '{name}' of {each.owner} is taken by step '{holder.name}' "
                        f"({holder.owner})",
                        ways_out=("give one of them another name, or use replace()",),
                    )
                claimed[name] = each
        self._anchors.update(claimed)

    def _link(self, entry: Entry, after: Entry | None) -> None:
        following = self._first if after is None else after.next
        entry.previous, entry.next = after, following
        if after is None:
            self._first = entry
        else:
            after.next = entry
        if following is None:
            self._last = entry
        else:
            following.previous = entry
        if entry.lane is not None:
            group = entry.lane.group
            group.first = entry if following is group.first else group.first
            group.last = entry if after is group.last else group.last
        self._count += 1
        self._edits += 1

    def _unlink(self, entry: Entry) -> None:
        if entry.lane is not None:
            self._leave(entry.lane.group, entry)
        if entry.previous is None:
            self._first = entry.next
        else:
            entry.previous.next = entry.next
        if entry.next is None:
            self._last = entry.previous
        else:
            entry.next.previous = entry.previous
        self._count -= 1
        self._edits += 1

    def _leave(self, group: EntryGroup, entry: Entry) -> None:
        """Take the entry from the ends of its group; a group without steps is none."""
        if group.first is group.last:
            del self._anchors[group.name]
        elif group.first is entry:
            group.first = cast("Entry", entry.next)
        elif group.last is entry:
            group.last = cast("Entry", entry.previous)


def _group_around(entry: Entry) -> EntryGroup | None:
    return None if entry.lane is None else entry.lane.group


def _steps_in(group: EntryGroup) -> Iterator[Entry]:
    entry: Entry | None = group.first
    while entry is not None:
        yield entry
        entry = None if entry is group.last else entry.next


def _shown(part: BaseStep[Any] | Parallel[Any]) -> str:
    if isinstance(part, BaseStep):
        return str(part.name)
    return f"{part.name}[{' | '.join(' -> '.join(map(_shown, lane)) for lane in part.lanes)}]"
