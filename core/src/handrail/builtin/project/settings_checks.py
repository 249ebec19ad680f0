"""Checks names of packs, actions and steps in the settings against those that exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from handrail import Origin
from handrail.builtin.project.choices import RECORDED
from handrail.builtin.project.settings import Settings
from handrail.errors import Problem
from handrail.packs import PackRecord
from handrail.packs.catalog import match_packs
from handrail.packs.configuration import place_of
from handrail.suggest import near

EVERYWHERE = "*"


def chosen_problems(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a problem for each unknown name in a list of the only packs to use."""
    for choice in settings.choices:
        # On resume or rollback, the started steps show whether a pack is missing.
        if (only := choice.only) is not None and only.source != RECORDED:
            for name in only.value:
                yield from _unknown_pack(name, only.why, records)


def pack_warnings(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a warning for each unknown name of a pack elsewhere in the settings."""
    for choice in settings.choices:
        for name in choice.disable:
            if name.source != RECORDED:
                yield from _unknown_pack(name.value, name.why, records)
    for pack in settings.packs:
        yield from _unknown_pack(pack, settings.source_of(pack), records)


def grant_remarks(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a remark for each unknown name of a pack that is granted something."""
    for name, grants in settings.grants.items():
        if grants:
            yield from _unknown_pack(name, grants[0].source, records)


def workflow_problems(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a problem for each workflow that has the name of an existing action."""
    local = {each.name: each.origin for each in settings.local if each.kind == "actions"}
    offered = {
        entry.name: record
        for record in records
        if record.status != "off"
        for entry in record.actions
    }
    for name, workflow in settings.workflows.items():
        place = workflow.origin
        owner = offered[name].origin if name in offered else local.get(name)
        if owner is not None:
            yield Problem(
                code="duplicate-action",
                message=f"{place.place}: the workflow {name} has the name of an action of "
                f"{owner if owner.pack else owner.place}",
                origins=(place, owner),
                ways_out=(
                    "give the workflow another name",
                    f"or change that action itself:  [actions.{name}]",
                ),
            )


def action_problems(
    settings: Settings, records: Sequence[PackRecord]
) -> tuple[list[Problem], list[Problem]]:
    """Return problems for misspelt names of actions, and warnings for other unknown names.

    A name very similar to an existing one is a misspelling. Any other may be the name of a base
    class, or of an action whose pack is not installed here. Policies may name any action.
    """
    known = {entry.name for record in records for entry in record.actions}
    known |= {each.name for each in settings.local if each.kind == "actions"}
    known |= set(settings.workflows)
    misspelt: list[Problem] = []
    unknown: list[Problem] = []
    for name, changes in settings.actions.items():
        what = f"[actions.{name}] is about"
        if name in settings.workflows:
            way = f"write it into [workflows.{name}]"
            misspelt.append(_problem(changes.origin, f"{what} a workflow", way))
        elif name not in known:
            hint = _nearly(name, known)
            message = f"{what} an action that is not installed"
            (misspelt if hint else unknown).append(_problem(changes.origin, message, hint))
    for step in settings.required.steps:
        for name in step.within:
            if name not in known | {EVERYWHERE}:
                hint = _nearly(name, known)
                message = f"{step.where} is required in {name}, which is not an installed action"
                is_wrong = hint and step.origin.pack is None
                (misspelt if is_wrong else unknown).append(_problem(step.origin, message, hint))
    return misspelt, unknown


def anchor_warnings(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a warning for each required step whose anchor looks like a misspelt step.

    A step is required only in actions that have its anchor, so a typo would disable the
    requirement.
    """
    offered: Collection[str] = {entry.name for record in records for entry in record.steps}
    for step in settings.required.steps:
        hint = "" if step.anchor in offered else _nearly(step.anchor, offered)
        if hint and EVERYWHERE in step.within:
            message = f"{step.where} is required, and no pack offers a step {step.anchor}"
            yield _problem(step.origin, message, hint, code="unknown-step")


def _nearly(name: str, known: Collection[str]) -> str:
    """Return `did you mean a?` if `name` differs from a known name only by a typo."""
    matches = near(name, known, limit=1, cutoff=0.85)
    return f"did you mean {matches[0]}?" if matches else ""


def _problem(place: Origin, message: str, hint: str, code: str = "unknown-action") -> Problem:
    return Problem(
        code=code,
        message=f"{place.source}: {message}",
        origins=(place,),
        ways_out=(hint,) if hint else ("list an action of your own under [local.actions]",),
    )


def _unknown_pack(name: str, source: str, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a problem if no installed pack is called `name`."""
    if match_packs(name, records):
        return
    known = [each for record in records for each in record.names]
    matches = near(name, dict.fromkeys(known), limit=1)
    ways: list[str] = [f"did you mean {match}?" for match in matches]
    if not matches:
        ways.append("remove it, or install the pack")
    yield Problem(
        code="unknown-pack",
        message=f"{source}: no installed pack is called {name}",
        origins=(place_of(source),),
        ways_out=tuple(ways),
    )
