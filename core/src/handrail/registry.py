"""StepRegistry: the ordered, editable list of steps from which a plan is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from handrail.engine.user_code import calls_user_code
from handrail.errors import DuplicateStepError, InvalidStepError, StepNotFoundError
from handrail.plan.entry import Entry, chain, entry_for, innermost, rewire
from handrail.steps import BaseStep
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
    not break anchors. Every edit takes constant time.
    """

    def __init__(self) -> None:
        self._anchors: dict[str, Entry] = {}
        self._first: Entry | None = None
        self._last: Entry | None = None
        self._count = 0
        self._edits = 0
        self._compiled: tuple[int, Any] | None = None

    def register(self, step: BaseStep[C]) -> None:
        """Append `step`.

        Raises:
            InvalidStepError: `step` is not a valid step.
            DuplicateStepError: One of its names is taken.
        """
        entry = entry_for(step)
        self._claim(entry)
        self._link(entry, after=self._last)

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step with the name or alias `name`.

        Raises:
            StepNotFoundError: There is no such step, and `missing_ok` is false.
        """
        entry = self._anchors.get(name)
        if entry is None:
            if missing_ok:
                return
            raise StepNotFoundError.among(name, self._anchors)
        self._unlink(entry)
        for anchor in entry.names:
            del self._anchors[anchor]

    def insert_before(
        self, name: str, step: BaseStep[C], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert `step` directly before the step with the name or alias `name`.

        Args:
            name: The anchor.
            step: The new step.
            if_missing: `"skip"` to insert nothing if the anchor does not exist.

        Raises:
            StepNotFoundError: The anchor does not exist; the message suggests similar names.
            InvalidStepError: `step` is not a valid step.
            DuplicateStepError: One of its names is taken.
        """
        anchor = self._anchor(name, if_missing)
        if anchor is not None:
            entry = entry_for(step)
            self._claim(entry)
            self._link(entry, after=anchor.previous)

    def insert_after(
        self, name: str, step: BaseStep[C], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert `step` directly after the step with the name or alias `name`.

        Arguments and errors are those of `insert_before`.
        """
        anchor = self._anchor(name, if_missing)
        if anchor is not None:
            entry = entry_for(step)
            self._claim(entry)
            self._link(entry, after=anchor)

    def replace(self, name: str, step: BaseStep[C]) -> None:
        """Replace the step with the name or alias `name` by `step`, inside its layers.

        The old names remain valid anchors.

        Raises:
            StepNotFoundError: There is no such step.
            InvalidStepError: `step` is not a valid step.
            DuplicateStepError: One of its names is taken by another step.
        """
        old = self._anchor(name, "error")
        assert old is not None
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
        entry = self._anchor(name, "error")
        assert entry is not None
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
        names = [entry.name for entry in self.entries()]
        return f"<{type(self).__name__} {' -> '.join(names) or 'empty'}>"

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

    def _anchor(self, name: str, if_missing: IfMissing) -> Entry | None:
        entry = self._anchors.get(name)
        if entry is None and if_missing != "skip":
            raise StepNotFoundError.among(name, self._anchors)
        return entry

    def _claim(self, entry: Entry, instead_of: Entry | None = None) -> None:
        anchors = self._anchors
        for name in entry.names if entry.others else (entry.name,):
            holder = anchors.get(name)
            if holder is not None and holder is not instead_of:
                raise DuplicateStepError(
                    f"step name '{name}' of {entry.owner} is taken by step '{holder.name}' "
                    f"({holder.owner})",
                    ways_out=("give one of them another name, or use replace()",),
                )
        anchors[entry.name] = entry
        if entry.others:
            anchors.update(dict.fromkeys(entry.others, entry))

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
        self._count += 1
        self._edits += 1

    def _unlink(self, entry: Entry) -> None:
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
