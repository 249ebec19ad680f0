"""Packs that are passed in, such as `packs=(my_hooks,)` in a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.origin import Origin
from handrail.settings.names import normalised
from handrail.settings.selection import Selection

if TYPE_CHECKING:
    from handrail.errors import HandrailError, Problem
    from handrail.events import Event
    from handrail.lock.model import LockUse
    from handrail.packs.loaded import LoadedPack
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep

Observer = Callable[["Event"], None]


class GivenPacks:
    """Packs that were passed in, such as `packs=(my_hooks,)` in a test; nothing installed counts.

    Attributes:
        grants: What each pack may do to the steps of others.
        selection: Always the empty one.
        left_out: The packs that an undo leaves out: none.
    """

    def __init__(self, packs: Sequence[LoadedPack], grants: Mapping[str, frozenset[str]]) -> None:
        self._packs = tuple(packs)
        self.grants = grants
        self.selection = Selection()
        self.left_out: Mapping[str, str] = {}

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return the packs."""
        return self._packs

    def observers(self) -> list[Observer]:
        """Return one callable for each pack that observes runs."""
        return [observer(pack) for pack in self._packs if pack.implements("observe")]

    def required(self) -> tuple[RequiredStep, ...]:
        """Return nothing: what is installed, and what that requires, does not count here."""
        return ()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, tuple[Problem, ...]]:
        """Return no edits: no project counts here."""
        from handrail.plan.edits import EditSet  # noqa: PLC0415 - not for listing

        return EditSet(owner="project"), ()

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Return `plan`: no project counts here, and so no lock."""
        return plan

    def for_undo(self, needed: Collection[str]) -> GivenPacks:
        """Return the same packs: they were given for the undo."""
        return self

    def leave_out(self, pack: str, error: HandrailError) -> bool:
        """Return False: each of them is used."""
        return False

    def origin_of(self, module: str) -> Origin:
        """Return the pack that `module` holds the hooks of, else just the module."""
        for pack in self._packs:
            if pack.origin.module and pack.origin.module == module:
                return pack.origin
        return Origin(module=module)


def observer(pack: LoadedPack) -> Observer:
    """Return what tells a pack of events, called after it."""

    def observe(event: Event) -> None:
        pack.call("observe", event=event)

    observe.__qualname__ = f"observe of {pack.origin}"
    return observe


def given(
    packs: Iterable[object], *, grants: Mapping[str, Iterable[str]] | None = None
) -> GivenPacks:
    """Return a provider of just these packs.

    Args:
        packs: Modules or objects with hooks, or loaded packs.
        grants: What each may do to the steps of others, as in the settings.

    Raises:
        PackError: A hook is wrong.
    """
    from handrail.packs.loaded import LoadedPack  # noqa: PLC0415 - slow to import
    from handrail.packs.loader import load_inline  # noqa: PLC0415 - slow to import

    loaded = [each if isinstance(each, LoadedPack) else load_inline(each) for each in packs]
    granted = {normalised(pack): frozenset(each) for pack, each in (grants or {}).items()}
    return GivenPacks(loaded, granted)
