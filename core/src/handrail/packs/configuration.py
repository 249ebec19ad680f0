"""Configuration: what a project says about packs and actions, and the door by which it comes.

The door is the entry point of core in the group `handrail.project`: a function `open(folder, flags,
packs)` that returns a Configuration. Without it, all installed packs are on, and there is no
project.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from handrail.errors import PackError
from handrail.frozen import NOTHING, frozen
from handrail.origin import Origin
from handrail.packs.record import compatible, core_record, import_target, in_order
from handrail.plan.edits import PROJECT, EditSet
from handrail.plan.rules import PlanRules

if TYPE_CHECKING:
    from pathlib import Path

    from handrail.errors import Problem
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.record import EntryPoint, PackRecord
    from handrail.plan.rules import CheckedRun

T = TypeVar("T")


@frozen
class Value(Generic[T]):
    """A setting and its source.

    Attributes:
        value: The value.
        source: A flag (`--no-pack`), a variable (`HANDRAIL_NO_PACKS`), a place in a file
            (`handrail.toml:9`), or `default`.
        key: Dotted key in the file, such as `packs.disable`; empty for flags and variables.
    """

    value: T
    source: str
    key: str = ""

    @property
    def why(self) -> str:
        """The source with the key, such as `handrail.toml:9  packs.disable`."""
        return f"{self.source}  {self.key}" if self.key else self.source


def place_of(source: str) -> Origin:
    """Return the place of a setting, of which `source` begins with `file:line` if it has one."""
    place = source.partition("  ")[0]
    file, _, line = place.rpartition(":")
    return Origin(file=file, line=int(line)) if line.isdigit() else Origin(file=place)


@frozen
class Selection:
    """The packs selected by flags and variables; the project file may exclude more.

    Attributes:
        no_packs: Packs to exclude.
        only_packs: The only packs to use; None for all.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None


@frozen
class Flags:
    """The settings from the command line and the environment.

    Attributes:
        no_packs: Packs to exclude, from `--no-pack`.
        only_packs: The only packs to use, from `--only-packs`; None for all.
        pack_values: Settings of packs, from `-p PACK.KEY=VALUE`, as pack, dotted key and text.
        recorded: The recorded selection of a run to resume or roll back, used instead of the
            variables that select packs; or None.
        environ: The environment variables.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    pack_values: tuple[tuple[str, str, str], ...] = ()
    recorded: Selection | None = None
    environ: Mapping[str, str] = NOTHING


@frozen
class Table:
    """The values set for a pack, by source.

    Attributes:
        values: The project's values by key, possibly nested.
        source: Returns the `file:line` of one of these, by its path.
        prefix: Prefix of the pack's environment variables.
        variables: The variables with that prefix and their texts.
        flags: Texts from the command line, by path.
        fixed: Values that nobody may change, by path.
        is_given: Whether anybody names the pack.
    """

    values: Mapping[str, Any]
    source: Callable[..., str]
    prefix: str = ""
    variables: Mapping[str, str] = NOTHING
    flags: Mapping[tuple[str, ...], str] = NOTHING
    fixed: Mapping[tuple[str, ...], Value[Any]] = NOTHING
    is_given: bool = False


@frozen
class Findings:
    """What is wrong with a configuration.

    Attributes:
        problems: Problems of the settings; they prevent planning.
        unmet: Requirements that are not met; they prevent planning.
        warnings: Names in the settings that no installed pack has; they prevent nothing.
    """

    problems: tuple[Problem, ...] = ()
    unmet: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@frozen
class Target:
    """An action to plan or run.

    Attributes:
        name: The name that the user gave.
        action_class: The action's class.
        origin: Where the action came from.
    """

    name: str
    action_class: type[Any]
    origin: Origin


class Configuration:
    """What holds for the packs and actions of a call; here, what holds without a project.

    Args:
        where: Path of the folder of the project; without one, the working folder.
        flags: The choices of the call.
        packs: The installed packs.

    Attributes:
        where: Path of the folder.
        flags: The choices of the call.
        records: All packs with their status: used ones first, then by id.
        own: The names of actions and steps that the project has, as a pack; None for none.
        executor: The URL of the executor for items, or None.
        strict_results: Whether a step fails if the journal cannot store its result.
        selection: The packs that flags and variables exclude.
    """

    own: PackRecord | None = None
    executor: str | None = None
    strict_results = False
    selection = Selection()

    def __init__(self, where: str, flags: Flags, packs: Iterable[PackRecord]) -> None:
        self.where = where
        self.flags = flags
        self.records = in_order(map(compatible, packs))

    @property
    def project_id(self) -> str:
        """The identifier of the project in journals."""
        return os.path.realpath(self.where)

    @property
    def files(self) -> Collection[str]:
        """The paths of the files, no code, by which its actions are planned.

        Raises:
            SettingsError: They cannot be told, or not be trusted.
        """
        return ()

    def findings(self) -> Findings:
        """Return what is wrong with it."""
        return Findings()

    def table(self, record: PackRecord) -> Table:
        """Return the values that are set for a pack."""
        return Table(values={}, source=lambda *_: "default")

    def plan_rules(self, packs: PackProvider) -> PlanRules:
        """Return the rules for plans; those of packs can only tighten them."""
        return PlanRules()

    def check_run(self, packs: PackProvider, run: CheckedRun) -> Iterable[Problem]:
        """Return the problems of a run that is to begin, or to be resumed; any prevents it.

        Raises:
            HandrailError: It is refused.
        """
        return ()

    def alone(self, record: PackRecord) -> Configuration:
        """Return what holds for a pack by itself, which is on: its settings."""
        return Configuration(self.where, self.flags, [record])

    def edits(
        self, lineage: Sequence[str], packs: PackProvider
    ) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, and the problems found in them.

        Args:
            lineage: The action's name and those of the actions it extends, nearest first.
            packs: The packs, which say what they load.

        Raises:
            PackError: A step is from a pack that is broken.
            LocalCodeError: A step is in a file of the project that cannot be imported.
        """
        return EditSet(owner=PROJECT), ()

    def check(self, packs: PackProvider) -> Sequence[Problem]:
        """Return the problems of the edits to all actions."""
        return ()

    def import_own(self, record: PackRecord, entry: EntryPoint) -> Any:
        """Import and return the object of one of the names that the project has; see `own`.

        Raises:
            NotFoundError: The file or module does not exist, or has no such attribute.
            LocalCodeError: The file or module cannot be imported.
        """
        return import_target(record, entry)

    def resolve_target(self, packs: InstalledPacks, folder: Path, name: str) -> Target | None:
        """Return the action called `name` if it is of the project, a file or a module, or None.

        Args:
            packs: The installed packs, under this configuration.
            folder: The working folder.
            name: The name that the user gave.

        Raises:
            HandrailError: There is no such action, or it cannot be imported.
        """
        return None

    def name_of(self, packs: InstalledPacks, action_class: type) -> str:
        """Return the name by which an action is found from the working folder; `""` for none."""
        return ""


@cache
def _door() -> Callable[[str, Flags, Iterable[PackRecord]], Configuration]:
    try:
        offered = core_record().offered("project")
    except PackError:
        return Configuration  # Core is not installed, and neither is a pack.
    for entry in offered:
        try:
            found: Any = import_target(core_record(), entry)
        except PackError as error:
            missing = getattr(error.__cause__, "name", None)
            if missing and f"{entry.module}.".startswith(f"{missing}."):
                continue  # It is left out of this core.
            raise
        return cast("Callable[[str, Flags, Iterable[PackRecord]], Configuration]", found)
    return Configuration


def configuration_at(
    folder: str, flags: Flags | None = None, packs: Iterable[PackRecord] = ()
) -> Configuration:
    """Return what holds in a folder, of the project that it is in.

    Args:
        folder: The folder.
        flags: The choices of the call.
        packs: The installed packs.
    """
    return _door()(folder, flags or Flags(), packs)


def project_at(folder: str) -> str:
    """Return the identifier of the project at `folder` in journals."""
    return configuration_at(folder).project_id
