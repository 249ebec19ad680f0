"""Checks settings against what is installed: names, and what is required."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from handrail import Origin
from handrail.builtin.project.settings import RECORDED, Choice, RequiredPack, Settings
from handrail.errors import Problem
from handrail.frozen import replace
from handrail.packs import PackRecord, fits, match_packs, normalised, place_of
from handrail.suggest import near

POLICY = "policy"
POLICY_FILE = "handrail-policy.toml"
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


def workflow_problems(settings: Settings, records: Sequence[PackRecord]) -> Iterator[Problem]:
    """Yield a problem for each workflow that has the name of an existing action."""
    local = {each.name: each.origin for each in settings.local if each.kind == "actions"}
    offered = {
        entry.name: record
        for record in records
        if record.status != "off"
        for entry in record.offered("actions")
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
    known = {entry.name for record in records for entry in record.offered("actions")}
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
    offered: Collection[str] = {own.name for each in records for own in each.offered("steps")}
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


def brief_source(source: str) -> str:
    """Return a source for a column of a table, without the file name that all policies share."""
    return source.replace(f"{POLICY_FILE}:", "policy line ")


def chosen(
    record: PackRecord, choices: Sequence[Choice], records: Sequence[PackRecord]
) -> PackRecord:
    """Return `record` with the status that the strongest source mentioning it sets."""
    for choice in choices:
        off = next(
            (name for name in choice.disable if record in match_packs(name.value, records)), None
        )
        if off is not None:
            return replace(record, status="off", why=off.why)
        if choice.only is not None:
            if any(record in match_packs(name, records) for name in choice.only.value):
                return record
            return replace(record, status="off", why=f"not in {choice.only.why}")
    return record


def mark_required(record: PackRecord, settings: Settings) -> PackRecord:
    """Return `record`, marked as a policy or as required if it is one and can be used."""
    if record.offered(POLICY):
        wanted = [each for each in settings.wanted_policies if each.id == record.id]
        if record.status not in ("on", "off"):
            return record
        return replace(record, status="policy", why=wanted[0].source if wanted else "installed")
    demands = [each for each in settings.required.packs if each.id == record.id]
    if not demands:
        return record
    if record.status == "off":
        owner = demands[0].origin.owner if demands[0].origin.pack else demands[0].origin.place
        return replace(record, why=f"{record.why}; required by {owner}")
    if record.status != "on":
        return record
    for each in demands:
        if not fits(record.version, each.specifiers):
            return replace(
                record,
                status="incompatible",
                why=f"{brief_source(each.source)} wants {each.wanted}",
            )
    return replace(record, status="required", why=brief_source(demands[0].source))


def unmet(records: Sequence[PackRecord], settings: Settings) -> Iterator[Problem]:
    """Yield a problem for each required pack or policy that is missing or unsuitable.

    Args:
        records: The packs, after `mark_required`.
        settings: The settings that apply.
    """
    by_id = {record.id: record for record in records}
    for each in settings.required.packs:
        yield from _pack(each, by_id.get(each.id))
    for each in settings.wanted_policies:
        yield from _policy(each, by_id.get(each.id))
    for record in records:
        if record.offered(POLICY):
            yield from _unusable(record)
            yield from _switched_off(record, settings)


def _pack(wanted: RequiredPack, record: PackRecord | None) -> Iterator[Problem]:
    install = f"install it:  pip install '{wanted.wanted}'"
    if record is None:
        message = f"{wanted.id} is required by {wanted.source} and is not installed"
        yield _unmet(message, wanted, install, code="required-pack-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{record.origin} is installed, and {wanted.source} requires {wanted.wanted}"
        yield _unmet(
            message, wanted, install, code="required-pack-version", others=(record.origin,)
        )
    elif record.status == "off":
        why = record.why.partition(";")[0]
        message = f"{record.origin} is required by {wanted.source} and is off: {why}"
        way = "a required pack cannot be switched off; switch it on again"
        yield _unmet(message, wanted, way, code="required-pack-off", others=(record.origin,))
    elif not record.is_used and record.problems:
        message = f"{record.origin} is required by {wanted.source} and is {record.status}"
        yield Problem(
            code="required-pack-broken",
            message=f"{message}: {record.why}",
            origins=(record.origin, wanted.origin),
            ways_out=(f"install it again:  pip install --force-reinstall '{wanted.wanted}'",),
        )


def _policy(wanted: RequiredPack, record: PackRecord | None) -> Iterator[Problem]:
    install = f"install it:  pip install '{wanted.wanted}'"
    if record is None or not record.offered(POLICY):
        what = "is not installed" if record is None else "is not a policy"
        message = f"{wanted.source} wants the policy {wanted.id}, which {what}"
        yield _unmet(message, wanted, install, code="policy-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{wanted.source} wants {wanted.wanted}, and {record.origin} is installed"
        yield _unmet(message, wanted, install, code="policy-missing", others=(record.origin,))


def _unusable(record: PackRecord) -> Iterator[Problem]:
    if record.status in ("broken", "incompatible"):
        yield Problem(
            code="required-pack-broken",
            message=f"{record.origin} is a policy and is {record.status}: {record.why}",
            origins=(record.origin,),
            ways_out=(f"install it again:  pip install --force-reinstall {record.id}",),
        )


def _switched_off(record: PackRecord, settings: Settings) -> Iterator[Problem]:
    for choice in settings.choices:
        for name in choice.disable:
            if normalised(name.value) in map(normalised, record.names):
                yield Problem(
                    code="required-pack-off",
                    message=f"{record.origin} is a policy, which cannot be switched off: "
                    f"{name.why}",
                    origins=(record.origin,),
                    ways_out=("remove it there",),
                )


def _unmet(
    message: str, wanted: RequiredPack, *ways: str, code: str, others: tuple[Origin, ...] = ()
) -> Problem:
    return Problem(code=code, message=message, origins=(*others, wanted.origin), ways_out=ways)
