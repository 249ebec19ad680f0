"""The providers of installed packs, as they are configured: for a plan, and for an undo."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handrail.errors import (
    LocalCodeError,
    NotFoundError,
    PackError,
    Problem,
    SettingsError,
    add_ways_out,
)
from handrail.frozen import replace
from handrail.origin import Origin
from handrail.own_points import CORE
from handrail.packs.catalog import Catalog, InstalledExecutors
from handrail.packs.configuration import Configuration, Flags, Selection, configuration_at
from handrail.packs.discovery import read_packs
from handrail.packs.pack_provider import PackProvider
from handrail.packs.record import (
    EntryPoint,
    PackRecord,
    core_record,
    import_target,
    problems_of,
    settings_error,
)
from handrail.packs.serializers import InstalledSerializers
from handrail.plan.rules import PlanRules

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.packs.loader import LoadedPack
    from handrail.plan.rules import RequiredStep

DRIFT = "or undo the rest, and count these steps as not undone:  --accept-drift"

View = Callable[[object], str | None]
"""Returns a value as a text, or None for a value that it does not show."""


class InstalledPacks(PackProvider):
    """All installed packs with their status; used packs are loaded on demand.

    Only `contributors`, `observers`, `check` and `catalog.load` import code of packs.

    Attributes:
        configuration: What the project says.
        records: All packs with their status: used ones first, then by id.
        catalog: The names that the packs offer.
        settings_problems: Problems of the settings; they prevent planning.
        warnings: Names in the settings that no installed pack has; they prevent nothing.
        unmet: Requirements of the project or a policy that are not met; they prevent planning.
    """

    def __init__(self, configuration: Configuration) -> None:
        found = configuration.findings()
        self.configuration = configuration
        self.records = configuration.records
        own = configuration.own
        self.catalog = Catalog((*self.records, *((own,) if own else ())), configuration.import_own)
        self.settings_problems = found.problems
        self.unmet = found.unmet
        self.warnings = found.warnings
        self._contributors: tuple[LoadedPack, ...] | None = None
        self._loads_all = False

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the used packs."""
        return InstalledSerializers(lambda: self.records)

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the used packs, with the one that the settings name as the default."""
        return InstalledExecutors(lambda: self.catalog, self.configuration.executor)

    def option(self, name: str) -> Any:
        """Import and return what packs add to a command, by its entry point.

        Raises:
            PackError: No pack that is on has it, or its pack is broken.
        """
        try:
            return self.catalog.load("options", name)
        except NotFoundError as error:  # A run that is recorded has it.
            raise PackError(error.message, ways_out=error.ways_out) from None

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return all used packs that have hooks, in the order of their ids; each is loaded once.

        Raises:
            SettingsError: The settings, or those of a pack, are not valid.
            PackError: Packs are broken or incompatible with this core; it names all of them.
        """
        if self._contributors is None:
            self.check_required()
            loaded, failed = self.load_each()
            if failed:
                raise joined([error for _, error in failed])
            self._contributors = loaded
        return self._contributors

    def load_each(
        self, *, every: bool = False
    ) -> tuple[tuple[LoadedPack, ...], list[tuple[PackRecord, PackError | SettingsError]]]:
        """Return the used packs that have hooks, loaded, and those that failed, with the errors.

        Args:
            every: Whether to load also hooks that wait for a variable that is not set.
        """
        every = every or self._loads_all
        used = [record for record in self.records if record.is_used and record.hooks]
        hooked = [
            (record, hooks)
            for record in sorted(used, key=lambda each: each.id)
            if (hooks := record.hooks if every else _wanted_hooks(record, self.configuration))
        ]
        failed: list[tuple[PackRecord, PackError | SettingsError]] = [
            (record, unusable_pack(record))
            for record in self.records
            if record.status in ("broken", "incompatible")
        ]
        if not hooked:
            return (), failed
        # Imported here, because neither listings nor packs without hooks need pluggy.
        from handrail.packs.loader import load, new_manager  # noqa: PLC0415

        manager = new_manager()
        loaded: list[LoadedPack] = []
        for record, hooks in hooked:
            try:
                table = self.configuration.table(record)
                loaded.append(load(record, table, manager, hooks=hooks))
            except (PackError, SettingsError) as error:
                failed.append((record, error))
        return tuple(loaded), [*failed, *self._shared_variables(loaded)]

    def check_required(self) -> None:
        """Check that plans can be made.

        Raises:
            SettingsError: The settings are not valid.
            PackError: Required packs or policies are missing, disabled, broken, or of a version
                that does not satisfy the requirement; it names all of them.
        """
        if self.settings_problems:
            raise settings_error(self.settings_problems)
        if self.unmet:
            raise PackError(
                "something required is missing; nothing was planned", problems=self.unmet
            )

    def rules(self) -> PlanRules:
        """Return the rules of the project for plans.

        Raises:
            SettingsError: The settings are not valid.
            PackError: Something required is missing.
        """
        self.check_required()
        return super().rules()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        record = next((each for each in self.records if each.id == step.pack), None)
        if record is None:
            name = f"'{step.wanted}'" if step.wanted else step.pack
            return (f"{step.pack} is not installed in {sys.prefix}:  pip install {name}",)
        if record.is_used:
            return (f"{record.origin} is on, but does not add it",)
        return (f"{record.origin} is {record.status}: {record.why}",)

    def settings_of(self, pack: str) -> Any:
        """Return the settings of a pack: an instance of its model, or a dict if it has none.

        For commands of packs; hooks take them as `settings`. Imports the hooks of that pack only.

        Args:
            pack: Its name.

        Raises:
            NotFoundError: No installed pack has that name.
            SettingsError: The settings of the project, or those of the pack, are not valid.
            PackError: Its hooks cannot be imported, or are not valid.
        """
        from handrail.packs.loader import load  # noqa: PLC0415 - listings need no settings

        record = self.catalog.pack(pack)
        if record is None:
            raise NotFoundError(f"no installed pack is called '{pack}'")
        if self.settings_problems:
            raise settings_error(self.settings_problems)
        return load(record, self.configuration.table(record)).settings

    @property
    def off(self) -> dict[str, str]:
        """The reason for each installed pack that is off, by its id."""
        return {record.id: record.why for record in self.records if record.status == "off"}

    def for_undo(self, needed: Collection[str]) -> UndoPacks:
        """Return a provider for an undo, which can exclude broken packs that are not needed."""
        return UndoPacks(self.configuration, needed)

    def alone(self, record: PackRecord) -> InstalledPacks:
        """Return a provider of only one pack, with the pack's settings.

        The pack is enabled even if it is disabled here. Changes to actions, settings of other packs
        and requirements, of the project or a policy, do not apply.
        """
        alone = InstalledPacks(self.configuration.alone(record))
        alone.unmet = ()  # The pack may be a policy that requires other packs.
        alone._loads_all = True  # Hooks that wait for a variable are no exception.
        return alone

    def check(self) -> tuple[Problem, ...]:
        """Load all used packs, import the objects that they offer, and return all problems."""
        problems = [*self.unmet, *self.configuration.check(self)]
        for record, error in self.load_each(every=True)[1]:
            if record.is_used or record.problems:  # Else it is unmet.
                problems += problems_of(error)
        for record in self.records:
            if record.is_used:
                kinds = ("actions", "steps", "commands", "serializers")
                for entry in (entry for kind in kinds for entry in record.offered(kind)):
                    try:
                        import_target(record, entry)
                    except PackError as error:
                        problems += problems_of(error)
        return tuple(dict.fromkeys(problems))

    def origin_of(self, module: str) -> Origin:
        """Return the installed pack that owns the module; otherwise the module alone."""
        name = module
        while name:
            owners = self._owners.get(name, ())
            if len(owners) == 1:
                owner = owners[0]
                return Origin(pack=owner.id, version=owner.version, module=module)
            name = name.rpartition(".")[0]
        return Origin(module=module)

    @cached_property
    def _owners(self) -> dict[str, list[PackRecord]]:
        """The packs with an entry point in a module or below it."""
        owners: dict[str, list[PackRecord]] = {}
        for record in self.records:
            parts = [module.split(".") for module in record.modules]
            for name in {".".join(each[:end]) for each in parts for end in range(1, len(each) + 1)}:
                owners.setdefault(name, []).append(record)
        return owners

    def _shared_variables(
        self, loaded: Sequence[LoadedPack]
    ) -> Iterator[tuple[PackRecord, PackError]]:
        """Yield an error for each variable that two packs would read: it may be a secret of one."""
        records = {record.id: record for record in self.records}
        owners: dict[str, LoadedPack] = {}
        for pack in loaded:
            for variable in sorted(pack.variables):
                other = owners.setdefault(variable, pack)
                if other is not pack:
                    yield records[pack.id], _shared(variable, other.origin, pack.origin)


class UndoPacks(InstalledPacks):
    """Provides packs for a plan of which only the started steps are undone.

    No steps are required, the lock is not checked, and a broken pack is excluded unless one of its
    steps was started. Items are undone by the executor that has worked on them.

    Args:
        configuration: What the project says.
        needed: Ids of the packs whose steps or layers were started.
    """

    plans_undo = True

    def __init__(self, configuration: Configuration, needed: Collection[str]) -> None:
        super().__init__(configuration)
        self._needed = frozenset(needed)
        self._loaded: tuple[LoadedPack, ...] | None = None
        self._left_out: dict[str, str] = {}

    def rules(self) -> PlanRules:
        """Return the changes that are granted; nothing is required."""
        return replace(self.configuration.plan_rules(self), required=())

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return all used packs that have hooks and are not excluded, loaded.

        Raises:
            PackError: A pack is broken, and one of its steps was started.
        """
        if self._loaded is None:
            self._loaded, failed = self.load_each()
            missed: list[PackError | SettingsError] = []
            for record, error in failed:
                if not self.leave_out(record.id, error):
                    missed.append(error)
            if missed:
                error = joined(missed)
                add_ways_out(error, DRIFT)
                raise error
        return tuple(pack for pack in self._loaded if pack.id not in self.left_out)

    @property
    def left_out(self) -> Mapping[str, str]:
        """The reason why each excluded pack was excluded, by pack id."""
        return self._left_out

    def leave_out(self, pack: str, error: PackError | SettingsError | LocalCodeError) -> bool:
        """Exclude a pack from now on and return True; if it is needed, return False."""
        if pack in self._needed or pack in self.left_out:
            return False
        self._left_out[pack] = problems_of(error)[0].message
        return True

    @property
    def executor(self) -> str | None:
        """None: an undo asks the executor that has worked on items, if there are any."""
        return None

    def loads(self, step: str) -> bool:
        """Return False, and exclude the pack, if a step of a broken pack is not needed."""
        offers = self.catalog.offers("steps")
        owners = {record.id for record, entry in offers if entry.name == step.rpartition(":")[2]}
        try:
            self.catalog.load("steps", step)
        except (PackError, LocalCodeError) as error:
            if owners & self._needed:
                raise
            for owner in owners:
                self.leave_out(owner, error)
            return False
        except LookupError:
            pass  # An unknown step is reported as a problem of the plan.
        return True


def _wanted_hooks(record: PackRecord, configuration: Configuration) -> tuple[EntryPoint, ...]:
    """Return the modules of hooks that a pack needs now.

    One of the group `handrail.packs_if_set` is needed where the variable after which it is named is
    set, or where somebody has given the pack settings.
    """
    waiting = record.offered("packs_if_set")
    if not waiting or configuration.table(record).is_given:
        return record.hooks
    variables = configuration.flags.environ
    needed = {each.value for each in waiting if variables.get(each.name)}
    return tuple(
        hook for hook in record.hooks if hook.group != waiting[0].group or hook.value in needed
    )


def _shared(variable: str, one: Origin, other: Origin) -> PackError:
    problem = Problem(
        code="shared-variable",
        message=f"{one} and {other} would both read {variable}",
        origins=(one, other),
        ways_out=(
            f"leave out the one that should not:  --no-pack {one.pack}  or  --no-pack {other.pack}",
        ),
    )
    return PackError(problem.message, problems=[problem], origin=other)


def unusable_pack(record: PackRecord) -> PackError:
    """Return the error for a pack that is broken or incompatible with this core."""
    fits = record.status != "incompatible"
    what = f"is {record.status}" if fits else f"does not fit this {CORE}"
    return PackError(f"{record.origin} {what}: {record.why}", problems=record.problems)


def joined(errors: Sequence[PackError | SettingsError]) -> PackError | SettingsError:
    """Return one error with all problems: a PackError if there is any, else a SettingsError."""
    problems = [problem for error in errors for problem in problems_of(error)]
    broken = [error for error in errors if isinstance(error, PackError)]
    if not broken:
        return settings_error(problems)
    count = "1 pack" if len(broken) == 1 else f"{len(broken)} packs"
    joined = PackError(f"{count} cannot be used; nothing was planned", problems=problems)
    joined.__cause__ = next((error.__cause__ for error in broken if error.__cause__), None)
    return joined


def installed_packs(
    *,
    start: str | Path | None = None,
    no_packs: Sequence[str] = (),
    only_packs: Sequence[str] | None = None,
    pack_values: Sequence[tuple[str, str, str]] = (),
    recorded: Selection | None = None,
    environ: Mapping[str, str] | None = None,
    path: Sequence[str] | None = None,
) -> InstalledPacks:
    """Return the packs installed for this process, under the settings of the project at `start`.

    Invalid settings do not raise here; they are listed in `settings_problems`.

    Args:
        start: Folder in which to look for the project; by default, the working folder.
        no_packs: Packs to exclude.
        only_packs: The only packs to use; None for all.
        pack_values: Settings of packs, as pack, dotted key and text.
        recorded: The recorded selection of a run to resume or roll back, used instead of the
            variables that select packs.
        environ: Environment variables; by default, those of this process.
        path: Folders and archives to search; by default, `sys.path`.
    """
    flags = Flags(
        no_packs=tuple(no_packs),
        only_packs=None if only_packs is None else tuple(only_packs),
        pack_values=tuple(pack_values),
        recorded=recorded,
        environ=os.environ if environ is None else environ,
    )
    folder = os.fspath(start or os.getcwd())
    return InstalledPacks(configuration_at(folder, flags, read_packs(path)))


def shown_as(value: object, name: str, packs: InstalledPacks | None = None) -> str | None:
    """Return a value as a view shows it; None if nobody shows such values so.

    Notebooks ask for `html`, and `handrail plan --mermaid` for `mermaid`. If several packs have a
    view of that name, the first that shows the value does: core's, then by the names of the packs.

    Args:
        value: The value: a `Plan`, a `StepResult`, a `RunRecord`, or one of a pack's own.
        name: The name of the view.
        packs: The installed packs; by default, those of the project in the working folder.

    Raises:
        PackError: A view cannot be imported.
    """
    for record in (core_record(), *(packs or installed_packs()).records):
        for entry in record.offered("views") if record.is_used else ():
            if entry.name == name:
                view: View = import_target(record, entry)
                if (shown := view(value)) is not None:
                    return shown
    return None
