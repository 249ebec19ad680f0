"""The registry that a pack edits in `setup_steps`: it writes down what it is told, and by whom."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from handrail.errors import DuplicateStepError
from handrail.origin import Origin
from handrail.plan.edits import PROJECT, EditSet, Insertion, Removal, Replacement, Wrapping
from handrail.plan.entry import entry_for
from handrail.registry import IfMissing, StepRegistry, Wrapper
from handrail.steps import BaseStep


class EditRecorder(StepRegistry[Any]):
    """The registry that a pack edits: it shows the action's steps and the pack's own edits.

    Nothing is refused here for what other packs may bring or take; that is up to the whole plan.
    """

    def __init__(self, base: StepRegistry[Any], origin: Origin) -> None:
        super().__init__()
        for step in base.get_steps():
            super().register(step)
        self._origin = origin
        self.edits = EditSet(owner=origin.pack or PROJECT)

    def register(self, step: BaseStep[Any]) -> None:
        """Append `step`."""
        self._insert(None, step, "end", "error")
        self._show(lambda: super(EditRecorder, self).register(step))

    def insert_before(
        self, name: str, step: BaseStep[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Put `step` right before the one that answers to `name`."""
        self._insert(name, step, "before", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_before(name, step))

    def insert_after(
        self, name: str, step: BaseStep[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Put `step` right after the one that answers to `name`."""
        self._insert(name, step, "after", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_after(name, step))

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step that answers to `name`."""
        self.edits.removals.append(Removal(name=name, origin=self._here(), missing_ok=missing_ok))
        super().unregister(name, missing_ok=True)

    def replace(self, name: str, step: BaseStep[Any]) -> None:
        """Put `step` in the place of the one that answers to `name`."""
        entry = entry_for(step)
        self.edits.replacements.append(Replacement(name=name, entry=entry, origin=self._here()))
        if name in self:
            self._show(lambda: super(EditRecorder, self).replace(name, step))

    def wrap(self, name: str, wrapper: Wrapper) -> None:
        """Put a layer around the step that answers to `name`."""
        self.edits.wrappings.append(Wrapping(name=name, layer=wrapper, origin=self._here()))

    def _insert(
        self,
        anchor: str | None,
        step: BaseStep[Any],
        side: Literal["before", "after", "end"],
        if_missing: IfMissing,
    ) -> None:
        origin = self._here()
        self.edits.insertions.append(
            Insertion(
                entries=(entry_for(step),),
                anchor=anchor,
                side=side,
                origin=origin,
                if_missing=if_missing,
                causes=frozenset({self.edits.owner}),
            )
        )

    def _show(self, edit: Callable[[], None]) -> None:
        # The plan reports a name that is taken, with both origins.
        with suppress(DuplicateStepError):
            edit()

    def _here(self) -> Origin:
        # The way to the line of the edit.
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        module = str(frame.f_globals.get("__name__", ""))
        file = frame.f_code.co_filename.replace("\\", "/")
        package = bool(frame.f_globals.get("__path__"))
        if module and module != "__main__":
            short = module.replace(".", "/") + ("/__init__.py" if package else ".py")
        else:
            short = file.rpartition("/")[2]
        return Origin(
            pack=self._origin.pack,
            version=self._origin.version,
            module=module,
            file=short,
            line=frame.f_lineno,
        )
