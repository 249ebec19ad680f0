"""Settings as values with their sources; names of packs, actions and steps are not resolved yet."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from handrail import Origin
from handrail.builtin.project.project import Project
from handrail.frozen import NOTHING, frozen
from handrail.packs import (
    LOCAL,
    EntryPoint,
    Limiting,
    PackRecord,
    Removal,
    RequiredStep,
    Selection,
    Value,
    fits,
    normalised,
)

if TYPE_CHECKING:
    from handrail.builtin.project.file import SettingsFile
    from handrail.builtin.project.policy import Policy
    from handrail.packs import InstalledPacks

Grants = Mapping[str, tuple[Value[str], ...]]
Options = Mapping[str, Any]

# Compiled on use, because most calls do not need it.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PACK = rf"(?P<name>{_NAME})\s*(?P<range>[=~!<>].*)?"

RECORDED = "as when the run began"
"""The source of choices that come from the record of a run."""


@frozen
class Choice:
    """The packs that one source enables and disables.

    Attributes:
        disable: Names of packs to exclude.
        only: Names of the only packs to use, or None if the source has no such list.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None


@frozen
class Insert:
    """A step or a group that the project inserts into an action, or of which it makes a workflow.

    Attributes:
        step: Name of the step, such as `to_webp` or `acme-webp:to_webp`; empty for a group.
        name: Its name in the action; empty for its own name.
        side: The side of the anchor.
        anchor: Name of the step beside which it is inserted; None for the end.
        options: Arguments for the class or function that makes the step.
        if_missing: Whether a missing anchor is an error, or the step is skipped.
        limits: Other limits for the step, by the keywords of `@step`.
        lanes: The steps of each lane of a group; empty for a step.
        concurrency: How many lanes run at the same time; None for all of them.
        origin: File and line.
    """

    step: str = ""
    name: str = ""
    side: Literal["before", "after", "end"] = "end"
    anchor: str | None = None
    options: Options = NOTHING
    if_missing: Literal["error", "skip"] = "error"
    limits: Options = NOTHING
    lanes: tuple[tuple[Insert, ...], ...] = ()
    concurrency: int | None = None
    origin: Origin

    @property
    def steps(self) -> tuple[Insert, ...]:
        """Itself, or the steps of the group."""
        return tuple(step for lane in self.lanes for step in lane) or (self,)


@frozen
class Wrap:
    """A wrapper that the project puts around a step.

    Attributes:
        step: Name of the step.
        use: Name of the wrapper, such as `retry` or `acme-tools:retry`.
        options: Arguments for the wrapper, in addition to the step.
        origin: File and line.
    """

    step: str
    use: str
    options: Options = NOTHING
    origin: Origin


@frozen
class Changes:
    """One table `[actions.NAME]` or `[workflows.NAME]`.

    Attributes:
        name: Name of the action or workflow.
        section: `actions` or `workflows`.
        extends: Name of the action that a workflow extends; empty for an action.
        chain: The actions of a workflow that is a chain, in order: the name in the chain and the
            action.
        inputs: The output that each input of an action of a chain is: `upload.catalogue` by
            `export.source`.
        steps: The steps and groups of which a workflow is made that extends none.
        params: Default values of params.
        inserts: Steps to insert, in the order of the file.
        removes: Steps to remove.
        wraps: Wrappers to add; for each step, the outermost first.
        limits: Other limits for steps.
        origin: File and line.
        file: The file.
    """

    name: str
    section: Literal["actions", "workflows"]
    extends: str = ""
    chain: tuple[tuple[str, str], ...] = ()
    inputs: Mapping[str, str] = NOTHING
    steps: tuple[Insert, ...] = ()
    params: Options = NOTHING
    inserts: tuple[Insert, ...] = ()
    removes: tuple[Removal, ...] = ()
    wraps: tuple[Wrap, ...] = ()
    limits: tuple[Limiting, ...] = ()
    origin: Origin
    file: SettingsFile

    def source_of(self, *path: str | int) -> Origin:
        """Return file and line of a key below the table, or of its nearest existing parent."""
        return self.file.origin((self.section, self.name, *path))


@frozen
class LocalName:
    """An action or step of the project, or something else of it that a pack looks up.

    Attributes:
        kind: `actions` or `steps`; or a word that packs look up, such as `formats`.
        name: Its name.
        target: Its location, such as `flows.py:nightly` or `company.flows:nightly`.
        origin: File and line.
    """

    kind: str
    name: str
    target: str
    origin: Origin


@frozen
class RequiredPack:
    """A pack that must be installed, enabled and intact.

    Attributes:
        id: Normalised distribution name.
        specifiers: Version range, such as `>=1.4,<2`; empty for any version.
        origin: File and line of the requirement, and the policy if it is from one.
    """

    id: str
    specifiers: str
    origin: Origin

    @property
    def wanted(self) -> str:
        """The requirement for an installer: `acme-scan>=1.4,<2`."""
        return f"{self.id}{self.specifiers}"

    @property
    def source(self) -> str:
        """The source of the requirement: `handrail.toml:4`, or policy, version, file and line."""
        return self.origin.source


def parse_pack(text: str) -> tuple[str, str] | None:
    """Return the normalised name and the range in `acme-scan>=1.4,<2`; None if it is invalid."""
    match = re.fullmatch(_PACK, text.strip())
    if match is None:
        return None
    specifiers = "".join((match["range"] or "").split())
    try:
        fits("0", specifiers)
    except ValueError:
        return None
    return normalised(match["name"]), specifiers


@frozen
class Requirements:
    """The requirements of a project or policy."""

    packs: tuple[RequiredPack, ...] = ()
    steps: tuple[RequiredStep, ...] = ()


@frozen
class Sections:
    """What a project file or a policy says.

    Attributes:
        packs: The settings of each pack, by its normalised name; values are plain TOML values,
            possibly nested.
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
    """

    packs: Mapping[str, Mapping[str, Any]] = NOTHING
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


@frozen
class Settings(Sections):
    """All settings, with their sources.

    Attributes:
        project: The folder and the settings file of the project.
        choices: The enabled and disabled packs, strongest source first: flags, variables, project.
        pack_values: Settings of packs on the command line: pack, dotted key and text.
        variables: Environment variables that begin with HANDRAIL_, including settings of packs.
        policies: The installed policies.
        wanted_policies: The policies that HANDRAIL_POLICY requires.
        file: The project file; None if there is none.
    """

    project: Project
    choices: tuple[Choice, ...] = ()
    pack_values: tuple[tuple[str, str, str], ...] = ()
    variables: Mapping[str, str] = NOTHING
    policies: tuple[Policy, ...] = ()
    wanted_policies: tuple[RequiredPack, ...] = ()
    file: SettingsFile | None = None

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
        no_packs: list[str] = []
        for choice in self.choices:
            no_packs += [name.value for name in choice.disable if not name.key]
            if choice.only is not None and not choice.only.key:
                # A list of the only packs decides for all packs; weaker sources are ignored.
                return Selection(no_packs=tuple(no_packs), only_packs=choice.only.value)
        return Selection(no_packs=tuple(no_packs))

    def changes(self, lineage: Sequence[str]) -> list[Changes]:
        """Return the sections about an action, those about what it extends first.

        Args:
            lineage: The action's name and those of the actions it extends, nearest first.
        """
        named = (self.actions, self.workflows)
        return [each[name] for name in reversed(lineage) for each in named if name in each]

    def source_of(self, pack: str, *path: str | int) -> str:
        """Return `file:line` of a pack's setting, or of its nearest existing parent."""
        return "default" if self.file is None else self.file.source(("packs", pack, *path))


def settings_of(packs: InstalledPacks) -> Settings:
    """Return the settings under which installed packs were found."""
    found: Settings = vars(packs.configuration)["settings"]
    return found


WORKFLOW = "workflow: "
"""The head of the value of an entry point that is a workflow; what it is made of follows."""


def local_record(settings: Settings) -> PackRecord | None:
    """Return a pack record with the names that the project offers, or None if there are none."""
    points = [
        EntryPoint(group=f"handrail.{each.kind}", name=each.name, value=each.target)
        for each in settings.local
        if each.kind in ("actions", "steps")
    ]
    points += [
        EntryPoint(group="handrail.actions", name=name, value=f"{WORKFLOW}{_made_of(workflow)}")
        for name, workflow in settings.workflows.items()
        if workflow.extends or workflow.steps or workflow.chain
    ]
    if not points:
        return None
    file = settings.project.file
    return PackRecord(
        id=LOCAL,
        name=LOCAL,
        entry_points=tuple(points),
        location=str(settings.project.folder),
        is_local=True,
        why=file.name if file is not None else "",
    )


def _made_of(workflow: Changes) -> str:
    """Return what a workflow is made of, in words."""
    if workflow.chain:
        return f"chain of {', '.join(action for _, action in workflow.chain)}"
    base = workflow.extends
    return f"{base}, changed by this project" if base else "steps of this project"


def is_workflow(record: PackRecord, entry: EntryPoint) -> bool:
    """Return whether an entry is a workflow of the project file."""
    return record.is_local and entry.value.startswith(WORKFLOW)
