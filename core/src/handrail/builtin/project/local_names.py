"""The names of a project's own actions, steps and workflows, as a pack called `local`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.packs import EntryPoint, PackRecord
from handrail.packs.local import file_of
from handrail.packs.record import LOCAL, PREFIX

if TYPE_CHECKING:
    from handrail.builtin.project.changes import Changes
    from handrail.builtin.project.settings import Settings

_EXTENDS = "extends "
_CHAIN = "chain of "
_STEPS = "steps"


def local_record(settings: Settings) -> PackRecord | None:
    """Return a pack record with the names that the project offers, or None if there are none."""
    points = [
        EntryPoint(group=PREFIX + each.kind, name=each.name, value=each.target)
        for each in settings.local
        if each.kind in ("actions", "steps")
    ]
    points += [
        EntryPoint(group=f"{PREFIX}actions", name=name, value=_made_of(workflow))
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
    """Return what a workflow is made of, as the value of its entry point."""
    if workflow.chain:
        return _CHAIN + ", ".join(action for _, action in workflow.chain)
    return f"{_EXTENDS}{workflow.extends}" if workflow.extends else _STEPS


def base_of(record: PackRecord, entry: EntryPoint) -> str:
    """Return the action that a workflow extends; `""` if it extends none."""
    if record.is_local and entry.value.startswith(_EXTENDS):
        return entry.value.removeprefix(_EXTENDS)
    return ""


def is_chain(record: PackRecord, entry: EntryPoint) -> bool:
    """Return whether an entry is a workflow that is a chain of actions."""
    return record.is_local and entry.value.startswith(_CHAIN)


def is_workflow(record: PackRecord, entry: EntryPoint) -> bool:
    """Return whether an entry is a workflow of the project file."""
    return record.is_local and (entry.value == _STEPS or entry.value.startswith((_EXTENDS, _CHAIN)))


def description_of(record: PackRecord, entry: EntryPoint) -> str | None:
    """Return a one-line description of an action or step without importing it, or None."""
    if is_chain(record, entry):
        return entry.value
    if is_workflow(record, entry):
        base = base_of(record, entry)
        return f"{base}, changed by this project" if base else "steps of this project"
    # Only listings describe, and it parses sources.
    from handrail.builtin.project.docstrings import describe_target  # noqa: PLC0415

    return describe_target(entry.value, file_of(record, entry))
