"""The provider for installed packs, under the settings of a project."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from handrail.errors import LocalCodeError, NotFoundError, PackError, Problem, SettingsError
from handrail.frozen import replace
from handrail.lock.check import ProjectLock
from handrail.lock.model import outline
from handrail.origin import Origin
from handrail.packs.action_names import names_of
from handrail.packs.activation import decide, wanted_hooks
from handrail.packs.catalog import Catalog
from handrail.packs.choices import Flags, Selection
from handrail.packs.digest import record_digest
from handrail.packs.discovery import read_packs
from handrail.packs.entry_points import import_target
from handrail.packs.executors import InstalledExecutors
from handrail.packs.failures import joined, problems_of, unusable_pack
from handrail.packs.local import local_record
from handrail.packs.metadata import unmet_range
from handrail.packs.pack_names import normalised
from handrail.packs.pack_provider import PackProvider
from handrail.packs.policy_files import read_policies
from handrail.packs.record import PackRecord
from handrail.packs.serializers import InstalledSerializers
from handrail.packs.settings_checks import action_problems, anchor_warnings, workflow_problems
from handrail.plan.edits import EditSet
from handrail.settings.load import read_settings, settings_error
from handrail.settings.values import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.lock.model import LockedAction, LockName, LockUse
    from handrail.packs.loader import LoadedPack
    from handrail.packs.project_edits import Part
    from handrail.packs.undo_provider import UndoPacks
    from handrail.plan.plan import Plan
    from handrail.plan.required import RequiredStep
    from handrail.settings.changes import Changes


class InstalledPacks(PackProvider):
    """All installed packs with their status; used packs are loaded on demand.

    Only `contributors`, `observers`, `check` and `catalog.load` import code of packs.

    Attributes:
        settings: The settings that apply.
        records: All packs with their status: used ones first, then by id.
        catalog: The names that the packs offer.
        settings_problems: Problems of the settings; they prevent planning.
        warnings: Names in the settings that no installed pack has; they prevent nothing.
        remarks: Names in policies that no installed pack has; only the doctor tells them.
        unmet: Requirements of the project or a policy that are not met; they prevent planning.
        problems: Problems of packs that are used nevertheless.
    """

    def __init__(
        self,
        settings: Settings,
        records: Iterable[PackRecord],
        settings_problems: Sequence[Problem] = (),
    ) -> None:
        records = tuple(records)
        policies, ungoverned = read_policies(records)
        loosened: list[Problem] = []
        if policies:
            # Imported here, because few environments have a policy.
            from handrail.settings.policy import apply_policies, contradictions  # noqa: PLC0415

            settings, loosened = apply_policies(settings, policies)
            ungoverned += contradictions(policies)
        decision = decide(records, settings)
        own: PackRecord | None = None
        if settings.local or settings.workflows:
            own = local_record(settings)
        self._found = records
        self.settings = settings
        self.records = decision.records
        self.catalog = Catalog((*decision.records, *((own,) if own else ())))
        misspelt, unknown = action_problems(settings, decision.records)
        self.settings_problems = (
            *settings_problems,
            *decision.errors,
            *loosened,
            *workflow_problems(settings, decision.records),
            *misspelt,
        )
        self.unmet = (*ungoverned, *decision.unmet)
        unsure = anchor_warnings(settings, decision.records)
        self.remarks = decision.remarks
        self.warnings = (*decision.warnings, *unknown, *unsure)
        self.problems = tuple(
            problem for record in decision.records if record.is_used for problem in record.problems
        )
        self._contributors: tuple[LoadedPack, ...] | None = None
        self._loads_all = False

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the used packs."""
        return InstalledSerializers(lambda: self.records)

    @property
    def executor(self) -> str | None:
        """The URL of the executor for items that the settings name, or None."""
        return None if self.settings.executor is None else self.settings.executor.value

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the used packs, with the one that the settings name as the default."""
        return InstalledExecutors(lambda: self.records, self.executor)

    @property
    def strict_results(self) -> bool:
        """Whether a step fails if the journal cannot store its result."""
        return self.settings.strict_results.value

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """The edits that each pack may make to steps of other packs."""
        return {
            self._id_of(name): frozenset(grant.value for grant in grants)
            for name, grants in self.settings.grants.items()
        }

    def option(self, name: str) -> Any:
        """Import and return what packs add to a command, by its entry point."""
        return self.catalog.load("options", name)

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return all used packs that have hooks, in the order of their ids; each is loaded once.

        Raises:
            SettingsError: The settings, or those of a pack, are not valid.
            PackError: Packs are broken or incompatible with this core; it names all of them.
        """
        if self._contributors is None:
            self.required()
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
        loaded, errors = self._load(every=every)
        unusable: list[tuple[PackRecord, PackError | SettingsError]] = [
            (record, unusable_pack(record))
            for record in self.records
            if record.status in ("broken", "incompatible")
        ]
        return loaded, [*unusable, *errors]

    def required(self) -> tuple[RequiredStep, ...]:
        """Return the steps that every plan must have.

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
        return self.settings.required.steps

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        record = next((each for each in self.records if each.id == step.pack), None)
        if record is None:
            wanted = [each.wanted for each in self.settings.required.packs if each.id == step.pack]
            name = f"'{wanted[0]}'" if wanted else step.pack
            return (f"{step.pack} is not installed in {sys.prefix}:  pip install {name}",)
        if record.is_used:
            return (f"{record.origin} is on, but does not add it",)
        return (f"{record.origin} is {record.status}: {record.why}",)

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, tuple[Problem, ...]]:
        """Return the project's edits to an action, and the problems found in them.

        Args:
            lineage: The action's name and those of the actions it extends, nearest first.

        Raises:
            PackError: A step is from a pack that is broken.
            LocalCodeError: A step is in a file of the project that cannot be imported.
        """
        changes = self.changes(lineage)
        if not changes:
            return EditSet(owner="project"), ()
        # Imported here, because listings do not plan, and most projects change no action.
        from handrail.packs.project_edits import edits_of  # noqa: PLC0415

        return edits_of(changes, self.catalog)

    def workflow_steps(self, name: str) -> tuple[list[tuple[Part, Origin]], tuple[Problem, ...]]:
        """Return the steps and groups of a workflow of the project, and the problems found in them.

        Raises:
            PackError: A step is from a pack that is broken.
            LocalCodeError: A step is in a file of the project that cannot be imported.
        """
        from handrail.packs.project_edits import parts_of  # noqa: PLC0415 - as above

        return parts_of(self.settings.workflows[name].steps, self.catalog)

    def changes(self, lineage: Sequence[str]) -> list[Changes]:
        """Return the changes to an action in the settings; see `project_edits`."""
        named = [self.settings.actions, self.settings.workflows]
        return [each[name] for name in reversed(lineage) for each in named if name in each]

    def _project_problems(self) -> list[Problem]:
        """Return the problems of the project's changes to each action."""
        problems: list[Problem] = []
        for name in (*self.settings.actions, *self.settings.workflows):
            try:
                problems += self.project_edits((name,))[1]
                if name in self.settings.workflows:
                    problems += self.workflow_steps(name)[1]
            except (PackError, LocalCodeError) as error:
                problems += problems_of(error)
        return problems

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude."""
        return self.settings.selection

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
        return load(record, self.settings).settings

    @property
    def off(self) -> dict[str, str]:
        """The reason for each installed pack that is off, by its id."""
        return {record.id: record.why for record in self.records if record.status == "off"}

    @property
    def lock(self) -> ProjectLock:
        """The lock of the project."""
        return ProjectLock(
            folder=self.settings.project.folder,
            forced_by=self.settings.locked_by,
            outline=self.outline,
            names=lambda action: names_of(self, action),
            off=self.off,
        )

    def outline(
        self, name: LockName, plan: Plan, *, params: Sequence[str] = (), with_files: bool = True
    ) -> LockedAction:
        """Return the lock entry for a whole plan made with these packs.

        Args:
            name: The name of the action in the lock.
            plan: The plan.
            params: The params that the plan was made with, as `key=value`.
            with_files: Whether to include digests of the packs' files.
        """
        return outline(
            plan,
            name=name.name,
            pack=name.pack,
            params=params,
            # For an action without steps, no pack's hooks are called.
            consulted=[pack.origin for pack in self._consulted()] if plan.steps else [],
            record_of=self._digest_of if with_files else lambda _pack: "missing",
        )

    def _consulted(self) -> Iterator[LoadedPack]:
        """Yield the packs that are asked about plans; others only observe runs."""
        return (
            pack
            for pack in self.contributors()
            if {*pack.hooks} - {"pack_info", "perform", "observe"}
        )

    def _digest_of(self, pack: str) -> str:
        """Return the digest of the files of a pack."""
        record = next((each for each in self.records if each.id == pack), None)
        return "missing" if record is None else record_digest(record)

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Check `plan` against the lock and return a copy with `locked` set; see `ProjectLock`."""
        return self.lock.check(plan, action, whole, use)

    def for_undo(self, needed: Collection[str]) -> UndoPacks:
        """Return a provider for an undo, which can exclude broken packs that are not needed."""
        from handrail.packs.undo_provider import UndoPacks  # noqa: PLC0415 - for undos only

        return UndoPacks(self, needed)

    def alone(self, record: PackRecord) -> InstalledPacks:
        """Return a provider of only one pack, with the pack's settings.

        The pack is enabled even if it is disabled here. Changes to actions, settings of other packs
        and requirements, of the project or a policy, do not apply.
        """
        here = self.settings
        settings = Settings(
            project=here.project,
            packs=here.packs,
            lines=here.lines,
            pack_values=here.pack_values,
            variables=here.variables,
            policies=here.policies,
        )
        found = next((each for each in self._found if each.id == record.id), None)
        if found is None:
            found = replace(record, unmet=unmet_range(record.requires))
        alone = InstalledPacks(settings, [found])
        alone.unmet = ()  # The pack may be a policy that requires other packs.
        alone._loads_all = True  # Hooks that wait for a variable are no exception.
        return alone

    def check(self) -> tuple[Problem, ...]:
        """Load all used packs, import the objects that they offer, and return all problems."""
        problems = [
            problem
            for record in self.records
            if record.status != "off"
            for problem in record.problems
        ]
        problems += self.unmet
        problems += self._project_problems()
        for _, error in self._load(every=True)[1]:
            problems += problems_of(error)
        for record in self.records:
            if record.is_used:
                serializers = record.offered("serializers")
                for entry in (*record.actions, *record.steps, *record.commands, *serializers):
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
        owners: dict[str, list[PackRecord]] = {}
        for record in self.records:
            for package in record.packages:
                owners.setdefault(package, []).append(record)
        return owners

    def _id_of(self, name: str) -> str:
        record = self.catalog.pack(name)
        return record.id if record is not None else normalised(name)

    def _load(
        self, *, every: bool
    ) -> tuple[tuple[LoadedPack, ...], list[tuple[PackRecord, PackError | SettingsError]]]:
        every = every or self._loads_all
        used = [record for record in self.records if record.is_used and record.hooks]
        hooked = [
            (record, hooks)
            for record in sorted(used, key=lambda each: each.id)
            if (hooks := record.hooks if every else wanted_hooks(record, self.settings))
        ]
        if not hooked:
            return (), []
        # Imported here, because neither listings nor packs without hooks need pluggy.
        from handrail.packs.loader import load, new_manager  # noqa: PLC0415

        manager = new_manager()
        loaded: list[LoadedPack] = []
        errors: list[tuple[PackRecord, PackError | SettingsError]] = []
        for record, hooks in hooked:
            try:
                loaded.append(load(record, self.settings, manager, hooks=hooks))
            except (PackError, SettingsError) as error:
                errors.append((record, error))
        return tuple(loaded), [*errors, *self._shared_variables(loaded)]

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
    )
    variables = os.environ if environ is None else environ
    settings, problems = read_settings(start or os.getcwd(), variables, flags)
    return InstalledPacks(settings, read_packs(path), problems)
