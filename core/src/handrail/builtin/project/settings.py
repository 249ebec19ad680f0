"""Settings as values with their sources."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.builtin.project.choices import Choice, selection_of
from handrail.builtin.project.project import Project
from handrail.builtin.project.requirements import RequiredPack, Requirements
from handrail.frozen import NOTHING, frozen
from handrail.packs.configuration import Selection, Value

if TYPE_CHECKING:
    from handrail.builtin.project.changes import Changes, LocalName
    from handrail.builtin.project.policy import Policy
    from handrail.packs import InstalledPacks

Grants = Mapping[str, tuple[Value[str], ...]]


@frozen
class Settings:
    """All settings, with their sources.

    Attributes:
        project: The folder and the settings file of the project.
        choices: The enabled and disabled packs, strongest source first: flags, variables, project.
        packs: The settings of each pack, by its normalised name; values are plain TOML values,
            possibly nested.
        lines: Line in the project file of each key of `packs`, by its path.
        pack_values: Settings of packs on the command line: pack, dotted key and text.
        variables: Environment variables that begin with HANDRAIL_, including settings of packs.
        grants: The edits that each pack may make to steps of other packs, such as
            `remove acme-scan:scan`.
        actions: The project's changes to actions, by action.
        workflows: The project's workflows, by name.
        local: Actions, steps and more in the project's own files.
        required: Required packs and steps, those of policies first.
        locked: Whether every run must be locked.
        journal: The location of the project's journal, or None if not set.
        executor: The URL of the executor for items, or None if not set.
        strict_results: Whether a step fails if the journal cannot store its result.
        name: The name of the project, or None if not set.
        policies: The installed policies.
        wanted_policies: The policies that HANDRAIL_POLICY requires.
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
    executor: Value[str] | None = None
    strict_results: Value[bool] = Value(value=False, source="default")
    name: Value[str] | None = None
    policies: tuple[Policy, ...] = ()
    wanted_policies: tuple[RequiredPack, ...] = ()

    @property
    def project_id(self) -> str:
        """The identifier of the project in journals: its name, or the real path of its folder."""
        return os.path.realpath(self.project.where) if self.name is None else self.name.value

    @property
    def locked_by(self) -> str:
        """The source that requires every run to be locked, such as `handrail.toml:4`, or `""`."""
        return self.locked.source if self.locked.value else ""

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude, to be recorded with a run."""
        return selection_of(self.choices)

    def changes(self, lineage: Sequence[str]) -> list[Changes]:
        """Return the sections about an action, those about what it extends first.

        Args:
            lineage: The action's name and those of the actions it extends, nearest first.
        """
        named = (self.actions, self.workflows)
        return [each[name] for name in reversed(lineage) for each in named if name in each]

    def source_of(self, *path: str | int) -> str:
        """Return `file:line` of a pack's setting, or of its nearest existing parent."""
        while path and path not in self.lines:
            path = path[:-1]
        name = self.project.settings
        return f"{name}:{self.lines[path]}" if path and name else name or "default"


def settings_of(packs: InstalledPacks) -> Settings:
    """Return the settings under which installed packs were found."""
    found: Settings = vars(packs.configuration)["settings"]
    return found
