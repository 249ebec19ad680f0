"""PackProvider: supplies an action with packs, the lock and settings.

Also the provider for packs passed as an argument, such as `packs=(my_hooks,)` in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from handrail.errors import PackError, Problem
from handrail.origin import Origin
from handrail.packs.serializers import InstalledSerializers
from handrail.plan.edits import EditSet
from handrail.plan.order import Contributor
from handrail.settings.pack_names import normalised
from handrail.settings.selection import Selection

if TYPE_CHECKING:
    from handrail.errors import HandrailError
    from handrail.lock.model import LockUse
    from handrail.packs.executors import InstalledExecutors
    from handrail.packs.loader import LoadedPack, Observer
    from handrail.packs.pack_settings import PackSecrets
    from handrail.packs.project_edits import Part
    from handrail.packs.record import PackRecord
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep


class PackProvider(Protocol):
    """Supplies an action with its packs, its lock and its settings.

    There are three: for the installed packs, for packs passed as an argument, and for an undo.
    """

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """The edits that each pack may make to steps of other packs."""
        ...

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude; recorded in the journal of a run."""
        ...

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the packs."""
        ...

    @property
    def strict_results(self) -> bool:
        """Whether a step fails if the journal cannot store its result."""
        ...

    @property
    def executor(self) -> str | None:
        """The URL of the executor for items that the settings name, or None."""
        ...

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the packs, with the one that the settings name as the default."""
        ...

    def contributors(self) -> Sequence[Contributor]:
        """Return all enabled packs that have hooks, loaded."""
        ...

    def observers(self) -> Sequence[Observer]:
        """Return the run observers of the packs."""
        ...

    def secrets(self) -> Sequence[PackSecrets]:
        """Return the secrets among the settings of the packs."""
        ...

    def required(self) -> Sequence[RequiredStep]:
        """Return the steps that every plan must have; raise if a required pack is missing."""
        ...

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        ...

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, and the problems found in them."""
        ...

    def workflow_steps(self, name: str) -> tuple[Sequence[tuple[Part, Origin]], Sequence[Problem]]:
        """Return the steps and groups of a workflow of the project, with the lines that name them.

        And the problems found in them.
        """
        ...

    def origin_of(self, module: str) -> Origin:
        """Return the origin of a module: the distribution that owns it, if any."""
        ...

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Check `plan` against the lock; return a copy with `locked` set.

        Args:
            plan: The plan to run, or a part of it.
            action: The class of the action.
            whole: Returns the whole plan, of which `plan` may be a part.
            use: How to apply the lock; by default, as for a program without flags.

        Raises:
            PlanDriftedError: The plan differs from the locked one and is not a part of it.
            LockError: The lock cannot be read; or a setting or policy requires a lock, and it is
                missing or ignored.
        """
        ...

    def for_undo(self, needed: Collection[str]) -> UndoProvider:
        """Return a provider for an undo, which can exclude broken packs that are not needed.

        Args:
            needed: Ids of the packs whose steps or layers are to be undone.
        """
        ...


class UndoProvider(PackProvider, Protocol):
    """A provider for an undo, which can exclude broken packs that it does not need."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """The reason why each excluded pack was excluded, by pack id."""
        ...

    def leave_out(self, pack: str, error: PackError) -> bool:
        """Exclude a pack from now on and return True; if it is needed, return False."""
        ...


class ExplicitPacks:
    """Provides packs passed as an argument; installed packs and the project are ignored.

    Attributes:
        grants: The edits that each pack may make to steps of other packs.
        selection: Always empty.
        left_out: Always empty: an undo excludes no pack.
        serializers: None: those of installed packs are ignored.
        strict_results: Always False: the project is ignored.
        executor: Always None: the project is ignored.
    """

    def __init__(self, packs: Sequence[LoadedPack], grants: Mapping[str, frozenset[str]]) -> None:
        self._packs = tuple(packs)
        self.grants = grants
        self.selection = Selection()
        self.left_out: Mapping[str, str] = {}
        self.serializers = InstalledSerializers(tuple)
        self.strict_results = False
        self.executor: str | None = None

    @property
    def executors(self) -> InstalledExecutors:
        """Those of the installed packs, if the program names one; none is the default."""
        from handrail.packs.executors import InstalledExecutors  # noqa: PLC0415 - for runs only

        def records() -> Iterable[PackRecord]:
            from handrail.packs.installed import installed_packs  # noqa: PLC0415 - for a named one

            return installed_packs().records

        return InstalledExecutors(records)

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return the packs."""
        return self._packs

    def observers(self) -> list[Observer]:
        """Return the packs' observers."""
        return [pack.observer() for pack in self._packs if pack.implements("observe")]

    def secrets(self) -> list[PackSecrets]:
        """Return the secrets among the settings of the packs."""
        return [pack.secrets for pack in self._packs]

    def required(self) -> tuple[RequiredStep, ...]:
        """Return nothing: requirements of installed packs do not apply."""
        return ()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, tuple[Problem, ...]]:
        """Return no edits: the project is ignored."""
        return EditSet(owner="project"), ()

    def workflow_steps(self, name: str) -> tuple[tuple[()], tuple[()]]:
        """Return nothing: the project is ignored."""
        return (), ()

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Return `plan` unchanged: the project, and with it the lock, is ignored."""
        return plan

    def for_undo(self, needed: Collection[str]) -> ExplicitPacks:
        """Return self: the packs were passed for the undo."""
        return self

    def leave_out(self, pack: str, error: HandrailError) -> bool:
        """Return False: no pack can be excluded."""
        return False

    def origin_of(self, module: str) -> Origin:
        """Return the pack whose hooks `module` has; otherwise the module alone."""
        for pack in self._packs:
            if pack.origin.module and pack.origin.module == module:
                return pack.origin
        return Origin(module=module)


Packs = PackProvider | Sequence[object] | None


def provider_of(packs: Packs) -> PackProvider:
    """Return `packs` if it is a provider, or a provider for the given or the installed packs.

    Raises:
        PackError: `packs` is not a sequence, or one of its modules has no hooks.
    """
    given = cast("object", packs)
    if hasattr(given, "contributors"):
        return cast("PackProvider", given)
    if given is None:
        # Imported here: not needed by callers who pass packs.
        from handrail.packs.installed import installed_packs  # noqa: PLC0415

        return installed_packs()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise PackError(
            f"packs takes a sequence of hook modules, not {given!r}",
            ways_out=("packs=(my_hooks,) for some, packs=() for none",),
        )
    listed = list(cast("Sequence[object]", given))
    provider = explicit_packs(listed)
    for each, pack in zip(listed, provider.contributors(), strict=True):
        if not pack.hooks and not pack.implements("pack_info"):
            raise PackError(
                f"{getattr(each, '__name__', repr(each))} in packs has no hooks",
                ways_out=("give the module with the functions that are marked with @hookimpl",),
            )
    return provider


def explicit_packs(
    packs: Iterable[object], *, grants: Mapping[str, Iterable[str]] | None = None
) -> ExplicitPacks:
    """Return a provider of exactly these packs.

    Args:
        packs: Modules or objects with hooks, or loaded packs.
        grants: The edits that each may make to steps of other packs, as in the settings.

    Raises:
        PackError: A hook is not valid.
    """
    from handrail.packs.loader import LoadedPack, load_inline  # noqa: PLC0415 - slow to import

    loaded = [each if isinstance(each, LoadedPack) else load_inline(each) for each in packs]
    granted = {normalised(pack): frozenset(each) for pack, each in (grants or {}).items()}
    return ExplicitPacks(loaded, granted)


def with_settings(hooks: object, settings: Mapping[str, Any]) -> object:
    """Return a module or an object with hooks, loaded with settings, for `packs=(...)`.

    Args:
        hooks: The module or object.
        settings: Its settings by key, as in `[packs.NAME]` of a project file.

    Raises:
        PackError: A hook is not valid.
        SettingsError: The settings do not match the pack's model.
    """
    from handrail.packs.loader import load_inline  # noqa: PLC0415 - slow to import

    return load_inline(hooks, settings=settings)
