"""Project: what the settings, policies and files of a folder say about packs and actions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail import Origin
from handrail.builtin.project.local import LocalObject, import_local
from handrail.builtin.project.project import LOCK_FILE, OWN_FILE, find_project
from handrail.builtin.project.project import Project as Place
from handrail.builtin.project.settings import (
    RECORDED,
    Choice,
    RequiredPack,
    Settings,
    local_record,
    parse_pack,
)
from handrail.builtin.project.settings_checks import (
    POLICY,
    action_problems,
    anchor_warnings,
    chosen,
    chosen_problems,
    mark_required,
    pack_warnings,
    unmet,
    workflow_problems,
)
from handrail.errors import LocalCodeError, PackError, Problem, SettingsError
from handrail.frozen import replace
from handrail.packs import (
    PROJECT,
    Configuration,
    EditSet,
    Findings,
    Flags,
    PlanRules,
    Selection,
    Table,
    Target,
    Value,
    compatible,
    in_order,
    normalised,
    problems_of,
    settings_error,
    variable_prefix,
)
from handrail.suggest import near
from handrail.trust import SAFE_FOLDERS, safe_folder_problems

if TYPE_CHECKING:
    from handrail.packs import CheckedRun, EntryPoint, InstalledPacks, PackProvider, PackRecord


NO_PACKS = "HANDRAIL_NO_PACKS"
ONLY_PACKS = "HANDRAIL_ONLY_PACKS"
WANTED = "HANDRAIL_POLICY"
JOURNAL = "HANDRAIL_JOURNAL"
EXECUTOR = "HANDRAIL_EXECUTOR"
VARIABLES = (
    *(NO_PACKS, ONLY_PACKS, WANTED, JOURNAL, EXECUTOR, SAFE_FOLDERS),
    "HANDRAIL_PROGRESS",
)


class Project(Configuration):
    """The configuration of a folder: its settings, under the installed policies.

    Args:
        settings: The settings.
        flags: The choices of the call.
        packs: The installed packs.
        problems: The problems of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        flags: Flags,
        packs: Iterable[PackRecord],
        problems: Sequence[Problem] = (),
    ) -> None:
        self._found = tuple(packs)
        self._problems = problems
        self._ungoverned, self._loosened = list[Problem](), list[Problem]()
        if any(record.offered(POLICY) for record in self._found):
            # Imported here, because few environments have a policy.
            from handrail.builtin.project import policy  # noqa: PLC0415

            policies, self._ungoverned = policy.read_policies(self._found)
            settings, self._loosened = policy.apply_policies(settings, policies)
            self._ungoverned += policy.contradictions(policies)
        self.settings = settings
        self.where, self.flags = settings.project.where, flags
        judged = partial(mark_required, settings=settings)
        fitting = (compatible(chosen(each, settings.choices, self._found)) for each in self._found)
        self.records = in_order(map(judged, fitting))
        self.own = local_record(settings)
        self.executor = None if settings.executor is None else settings.executor.value
        self.strict_results = settings.strict_results.value
        self.selection = settings.selection

    @property
    def project_id(self) -> str:
        """The identifier of the project in journals."""
        return self.settings.project_id

    @property
    def files(self) -> Sequence[str]:
        """The paths of the files, no code, by which its actions are planned: settings and lock."""
        names = (find_project(self.where).settings, LOCK_FILE)
        places = [os.path.join(self.where, name) for name in names if name]
        return [each for each in places if os.path.isfile(each)]

    def findings(self) -> Findings:
        """Return what is wrong with the settings, and with the packs under them."""
        settings, records = self.settings, self.records
        misspelt, unknown = action_problems(settings, records)
        return Findings(
            problems=(
                *self._problems,
                *chosen_problems(settings, records),
                *self._loosened,
                *workflow_problems(settings, records),
                *misspelt,
            ),
            unmet=(*self._ungoverned, *unmet(records, settings)),
            warnings=(
                *pack_warnings(settings, records),
                *unknown,
                *anchor_warnings(settings, records),
            ),
        )

    def table(self, record: PackRecord) -> Table:
        """Return the values that are set for a pack, under any of its names."""
        settings = self.settings
        names = tuple(map(normalised, record.names))
        prefix = variable_prefix(record.id)
        name = next((each for each in names if each in settings.packs), None)
        shown = settings.project.settings or OWN_FILE
        variables = {
            variable: text
            for variable, text in settings.variables.items()
            if variable.startswith(prefix)
        }
        flags = {
            tuple(key.split(".")): text
            for pack, key, text in settings.pack_values
            if normalised(pack) in names
        }
        fixed = {
            path[1:]: Value(value=value, source=origin.source)
            for policy in settings.policies
            for path, value, origin in policy.fixed()
            if path[0] in names and path[1:]
        }
        return Table(
            values={} if name is None else settings.packs[name],
            source=(lambda *_: shown) if name is None else partial(settings.source_of, name),
            prefix=prefix,
            variables=variables,
            flags=flags,
            fixed=fixed,
            is_given=name is not None or bool(flags or fixed) or any(variables.values()),
        )

    def plan_rules(self, packs: PackProvider) -> PlanRules:
        """Return the grants and the required steps of the project and of policies."""
        required = self.settings.required
        wanted = {each.id: each.wanted for each in reversed(required.packs)}
        return PlanRules(
            grants={
                packs.catalog.id_of(name): frozenset(grant.value for grant in grants)
                for name, grants in self.settings.grants.items()
            },
            required=[replace(each, wanted=wanted.get(each.pack, "")) for each in required.steps],
        )

    def check_run(self, packs: PackProvider, run: CheckedRun) -> Sequence[Problem]:
        """Check the plan against the lock, and say whether it is locked."""
        if not (self.settings.locked_by or os.path.lexists(os.path.join(self.where, LOCK_FILE))):
            return ()
        # Imported here, because most projects have no lock.
        from handrail.builtin.project.lock import ProjectLock  # noqa: PLC0415

        run.locked = ProjectLock.of(cast("InstalledPacks", packs)).check(run)
        return ()

    def alone(self, record: PackRecord) -> Project:
        """Return what holds for a pack by itself, which is on: its settings."""
        kept = ("project", "packs", "file", "pack_values", "variables", "policies")
        settings = Settings(**{name: getattr(self.settings, name) for name in kept})
        found = next((each for each in self._found if each.id == record.id), record)
        return Project(settings, self.flags, [found])

    def edits(
        self, lineage: Sequence[str], packs: PackProvider
    ) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, and the problems found in them."""
        changes = self.settings.changes(lineage)
        if not changes:
            return EditSet(owner=PROJECT), ()
        # Imported here, because listings do not plan, and most projects change no action.
        from handrail.builtin.project.project_edits import edits_of  # noqa: PLC0415

        return edits_of(changes, packs)

    def check(self, packs: PackProvider) -> list[Problem]:
        """Return the problems of the project's changes to each action."""
        from handrail.builtin.project.project_edits import parts_of  # noqa: PLC0415 - as above

        problems: list[Problem] = []
        for name in (*self.settings.actions, *self.settings.workflows):
            try:
                problems += self.edits((name,), packs)[1]
                if name in self.settings.workflows:
                    problems += parts_of(self.settings.workflows[name].steps, packs)[1]
            except (PackError, LocalCodeError) as error:
                problems += problems_of(error)
        return problems

    def local(self, kind: str) -> Mapping[str, LocalObject]:
        """Return what is in a table of `[local]`, by name; nothing is imported."""
        if self._problems:
            raise settings_error(self._problems)
        return {
            each.name: LocalObject(
                name=each.name, target=each.target, origin=each.origin, folder=self.where
            )
            for each in self.settings.local
            if each.kind == kind
        }

    def import_own(self, record: PackRecord, entry: EntryPoint) -> Any:
        """Import and return the object of one of the names that the project has."""
        return import_local(record, entry, record.origin)

    def resolve_target(self, packs: InstalledPacks, folder: Path, name: str) -> Target | None:
        """Return the action called `name` if it is of the project, a file or a module, or None."""
        from handrail.builtin.project.targets import resolve_target  # noqa: PLC0415

        return resolve_target(packs, folder, name)

    def name_of(self, packs: InstalledPacks, action_class: type) -> str:
        """Return the name by which an action is found from the working folder; `""` for none."""
        from handrail.builtin.project.targets import name_from, names_of  # noqa: PLC0415

        found = names_of(packs, action_class)
        return name_from(found[0], Path(self.where), Path.cwd()) if found else ""


def open_project(folder: str, flags: Flags, packs: Iterable[PackRecord]) -> Project:
    """Return the configuration of the project that a folder is in."""
    settings, problems = read_settings(folder, flags.environ, flags)
    return Project(settings, flags, packs, problems)


def read_settings(
    start: str | Path, environ: Mapping[str, str], flags: Flags | None = None
) -> tuple[Settings, tuple[Problem, ...]]:
    """Return the valid settings for work in `start`, and the problems of the others.

    Never raises for the contents of a file or variable, so that listings and diagnoses still work.
    """
    problems: list[Problem] = [*_unknown_variables(environ), *safe_folder_problems(environ)]
    try:
        project = find_project(start)
    except SettingsError as error:
        problems += error.problems
        project = Place(where=os.path.abspath(start))
    flags = flags or Flags()
    choices = (
        _choice(flags.no_packs, "--no-pack", flags.only_packs, "--only-packs"),
        _of_variables(environ) if flags.recorded is None else _of_run(flags.recorded),
    )
    settings = Settings(
        project=project,
        choices=choices,
        pack_values=flags.pack_values,
        variables={key: text for key, text in environ.items() if key.startswith("HANDRAIL_")},
        wanted_policies=_policies(environ.get(WANTED, ""), problems),
    )
    if project.file is not None:
        # Imported here, because many projects have no file.
        from handrail.builtin.project.sections import with_file  # noqa: PLC0415

        settings = with_file(settings, project.file, problems)
    if environ.get(EXECUTOR):
        settings = replace(settings, executor=Value(value=environ[EXECUTOR], source=EXECUTOR))
    return settings, tuple(problems)


def _choice(
    disable: tuple[str, ...], of_disable: str, only: tuple[str, ...] | None, of_only: str
) -> Choice:
    return Choice(
        disable=tuple(Value(value=name, source=of_disable) for name in disable),
        only=None if only is None else Value(value=only, source=of_only),
    )


def _of_variables(environ: Mapping[str, str]) -> Choice:
    only = _names(environ[ONLY_PACKS]) if ONLY_PACKS in environ else None
    return _choice(_names(environ.get(NO_PACKS, "")), NO_PACKS, only, ONLY_PACKS)


def _of_run(recorded: Selection) -> Choice:
    return _choice(recorded.no_packs, RECORDED, recorded.only_packs, RECORDED)


def _policies(text: str, problems: list[Problem]) -> tuple[RequiredPack, ...]:
    """Return the policies required by HANDRAIL_POLICY: names with version ranges.

    They are separated by commas or spaces.
    """
    if not text:
        return ()
    words = re.sub(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*", r"\1", text)
    found: list[RequiredPack] = []
    origin = Origin(file=f"{WANTED}={text}")
    # A comma before an operator continues a version range; any other separates names.
    for word in re.split(r",(?![=~!<>])|\s+", words):
        made = parse_pack(word) if word else None
        if made is not None:
            found.append(RequiredPack(id=made[0], specifiers=made[1], origin=origin))
        elif word:
            problems.append(
                Problem(
                    code="bad-setting",
                    message=f"{WANTED}: {word!r} is not a policy with or without a range",
                    origins=(Origin(file=WANTED),),
                    ways_out=(f'{WANTED}="acme-policy>=3"',),
                )
            )
    return tuple(found)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _unknown_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each variable that looks like a misspelt one of ours.

    Other variables that begin with HANDRAIL_ may belong to a pack, such as its token.
    """
    return [
        Problem(
            code="unknown-variable",
            message=f"{name}: there is no such variable",
            origins=(Origin(file=name),),
            ways_out=(f"did you mean {known}?",),
        )
        for name in environ
        if name.startswith("HANDRAIL_") and name not in VARIABLES
        for known in near(name, VARIABLES, limit=1, cutoff=0.88)
    ]


def local_objects(kind: str, folder: str | Path = ".") -> Mapping[str, LocalObject]:
    """Return what a project has in a table of `[local]`, by name; nothing is imported.

    Args:
        kind: The table, such as `formats`.
        folder: A folder in the project.

    Raises:
        SettingsError: The settings of the project are not valid.
    """
    return open_project(os.fspath(folder), Flags(), ()).local(kind)
