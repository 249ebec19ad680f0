"""Settings as values that know where they came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from handrail.frozen import NOTHING, frozen
from handrail.settings.project import Project
from handrail.settings.requirements import RequiredPack, Requirements
from handrail.settings.selection import Selection, selection_of

if TYPE_CHECKING:
    from handrail.settings.changes import Changes, LocalName
    from handrail.settings.policy import Policy

T = TypeVar("T")


@frozen
class Value(Generic[T]):
    """A setting and its source.

    Attributes:
        value: What it is set to.
        source: A flag (`--no-pack`), a variable (`HANDRAIL_NO_PACKS`), a place in a file
            (`handrail.toml:9`), or `default`.
        key: Dotted key in the file, such as `packs.disable`; empty for flags and variables.
    """

    value: T
    source: str
    key: str = ""

    @property
    def why(self) -> str:
        """The source with the key, as `handrail.toml:9  packs.disable`."""
        return f"{self.source}  {self.key}" if self.key else self.source


Grants = Mapping[str, tuple[Value[str], ...]]


@frozen
class Flags:
    """What the command line says.

    Attributes:
        no_packs: Packs to leave out, from `--no-pack`.
        only_packs: The only packs to use, from `--only-packs`; None for no such limit.
        pack_values: Settings of packs, from `-p PACK.KEY=VALUE`, as pack, dotted key and text.
        recorded: What a run that goes on began with; variables that select packs do not count then.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    pack_values: tuple[tuple[str, str, str], ...] = ()
    recorded: Selection | None = None


@frozen
class Choice:
    """What one source says about which packs are on.

    Attributes:
        disable: Names of packs that are off.
        only: Names of the only packs that are on, or None when it does not say.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None


@frozen
class Settings:
    """Every setting, with its source.

    Attributes:
        project: The folder and file that the project's settings are from.
        choices: Which packs are on, the strongest source first: flags, variables, project.
        packs: The settings of each pack, by the name in the file, normalised; the values may be
            nested mappings and lists of plain TOML values.
        lines: Line in the project file of each key of `packs`, by the path to it.
        pack_values: Settings of packs on the command line: pack, dotted key and text.
        variables: Variables that begin with HANDRAIL_, among them settings of packs.
        grants: What each pack may do to the steps of others, such as `remove acme-scan:scan`.
        actions: What the project changes about actions, by their names.
        workflows: The project's workflows, by their names.
        local: Actions and steps in the project's own files.
        required: What no plan may do without, that of policies first.
        locked: Whether every run has to be locked.
        journal: Where the project keeps its runs, or None where it does not say.
        name: What the project calls itself, or None where it does not say.
        policies: The policies that are installed.
        wanted_policies: Those that HANDRAIL_POLICY wants to be installed.
    """

    project: Project
    choices: tuple[Choice, ...] = ()
    packs: Mapping[str, Mapping[str, Any]] = NOTHING
    lines: Mapping[tuple[str | int, ...], int] = NOTHING
    pack_values: tuple[tuple[str, str, str], ...] = ()
    variables: Mapping[str, str] = NOTHING
    grants: Grants = NOTHING
    actions: Mapping[str, Changes] = NOTHING
    workflows: Mapping[str, Changes] = NOTHING
    local: tuple[LocalName, ...] = ()
    required: Requirements = Requirements()
    locked: Value[bool] = Value(value=False, source="default")
    journal: Value[str] | None = None
    name: Value[str] | None = None
    policies: tuple[Policy, ...] = ()
    wanted_policies: tuple[RequiredPack, ...] = ()

    @property
    def project_id(self) -> str:
        """What a journal calls the project: its name, else the real path of its folder."""
        return os.path.realpath(self.project.where) if self.name is None else self.name.value

    @property
    def locked_by(self) -> str:
        """Who wants every run locked, as `handrail.toml:4`; an empty string where nobody does."""
        return self.locked.source if self.locked.value else ""

    @property
    def selection(self) -> Selection:
        """Which packs flags and variables leave out, for a run to record."""
        return selection_of(self.choices)

    def source_of(self, *path: str | int) -> str:
        """Return `file:line` of a pack's setting; of what holds it when it is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        name = self.project.settings
        return f"{name}:{self.lines[path]}" if path and name else name or "default"
