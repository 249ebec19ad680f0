"""Decides which packs are used, and finds required packs that are missing; no side effects.

It depends on the settings, the policies and the version of core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import handrail
from handrail.errors import Problem
from handrail.frozen import frozen, replace
from handrail.origin import Origin
from handrail.packs.choices import RECORDED, Choice
from handrail.packs.pack_names import fits, normalised, variable_prefix
from handrail.packs.record import CORE, EntryPoint, PackRecord, Status, ways_out
from handrail.settings.requirements import RequiredPack
from handrail.settings.values import Settings
from handrail.suggest import near

ORDER: tuple[Status, ...] = ("policy", "required", "on", "off", "incompatible", "broken")
POLICY = "policy"


@frozen
class Decision:
    """The packs with their status, and the problems found.

    Attributes:
        records: All packs with their status: used ones first, then by id.
        errors: Names of unknown packs in a list of the only packs to use; nothing can be run.
        warnings: Names of unknown packs elsewhere in the settings.
        remarks: Names of unknown packs in policies; only the doctor tells them.
        unmet: Requirements that are not met; nothing can be run.
    """

    records: tuple[PackRecord, ...]
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()
    unmet: tuple[Problem, ...] = ()


def decide(records: Iterable[PackRecord], settings: Settings) -> Decision:
    """Return `records` with their status under `settings` and for this version of core."""
    records = tuple(records)
    decided = [
        mark_required(_compatible(_apply_choices(record, settings.choices, records)), settings)
        for record in records
    ]
    decided.sort(key=lambda record: (ORDER.index(record.status), record.id))
    errors = [
        _unknown_pack(name, only.why, records)
        for choice in settings.choices
        # On resume or rollback, the started steps show whether a pack is missing.
        if (only := choice.only) is not None and only.source != RECORDED
        for name in only.value
        if not match_packs(name, records)
    ]
    warnings = [
        _unknown_pack(name.value, name.why, records)
        for choice in settings.choices
        for name in choice.disable
        if name.source != RECORDED and not match_packs(name.value, records)
    ]
    warnings += [
        _unknown_pack(name, settings.source_of(name), records)
        for name in settings.packs
        if not match_packs(name, records)
    ]
    unused = [
        _unknown_pack(name, grants[0].source, records)
        for name, grants in settings.grants.items()
        if grants and not match_packs(name, records)
    ]
    # A policy is for every project, and few have all packs that it knows.
    by_policy = any(policy.grants is not None for policy in settings.policies)
    return Decision(
        records=tuple(decided),
        errors=tuple(errors),
        warnings=(*warnings, *(() if by_policy else unused)),
        remarks=tuple(unused) if by_policy else (),
        unmet=tuple(unmet(decided, settings)),
    )


def match_packs(name: str, records: Iterable[PackRecord]) -> tuple[PackRecord, ...]:
    """Return the packs that match `name`, which may be spelled unnormalised.

    That is the distribution of that name or, if there is none, all packs with a module of hooks of
    that name.
    """
    records = tuple(records)
    wanted = normalised(name)
    named = tuple(record for record in records if record.id == wanted)
    return named or tuple(record for record in records if wanted in map(normalised, record.names))


def _apply_choices(
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


def _compatible(record: PackRecord) -> PackRecord:
    if record.status != "on" or not record.unmet:
        return record
    why = f"wants {CORE}{record.unmet}, this is {handrail.__version__}"
    problem = Problem(
        code="pack-incompatible",
        message=f"{record.origin} {why}",
        origins=(record.origin,),
        ways_out=ways_out(
            record.id,
            f"find versions that fit each other:  pip install --upgrade {CORE} {record.id}",
        ),
    )
    return replace(record, status="incompatible", why=why, problems=(*record.problems, problem))


def _unknown_pack(name: str, source: str, records: Sequence[PackRecord]) -> Problem:
    known = [each for record in records for each in record.names]
    matches = near(name, dict.fromkeys(known), limit=1)
    file, _, line = source.partition("  ")[0].partition(":")
    ways: list[str] = [f"did you mean {match}?" for match in matches]
    if not matches:
        ways.append("remove it, or install the pack")
    return Problem(
        code="unknown-pack",
        message=f"{source}: no installed pack is called {name}",
        origins=(Origin(file=file, line=int(line) if line.isdigit() else 0),),
        ways_out=tuple(ways),
    )


def wanted_hooks(record: PackRecord, settings: Settings) -> tuple[EntryPoint, ...]:
    """Return the modules of hooks that a pack needs now.

    One of the group `handrail.packs_if_set` is needed where the variable after which it is named is
    set, or where somebody has given the pack settings.
    """
    waiting = record.offered("packs_if_set")
    if not waiting or _has_settings(record, settings):
        return record.hooks
    needed = {each.value for each in waiting if each.name in settings.variables_set}
    return tuple(
        hook for hook in record.hooks if hook.group != waiting[0].group or hook.value in needed
    )


def _has_settings(record: PackRecord, settings: Settings) -> bool:
    given = [*settings.packs, *(pack for pack, _, _ in settings.pack_values)]
    given += [path[0] for policy in settings.policies for path, _, _ in policy.fixed()]
    prefix = variable_prefix(record.id)
    return not {*map(normalised, record.names)}.isdisjoint(map(normalised, given)) or any(
        text and name.startswith(prefix) for name, text in settings.variables.items()
    )


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
            return replace(record, status="incompatible", why=f"{each.brief} wants {each.wanted}")
    return replace(record, status="required", why=demands[0].brief)


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
        yield _problem(message, wanted, install, code="required-pack-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{record.origin} is installed, and {wanted.source} requires {wanted.wanted}"
        yield _problem(
            message, wanted, install, code="required-pack-version", others=(record.origin,)
        )
    elif record.status == "off":
        why = record.why.partition(";")[0]
        message = f"{record.origin} is required by {wanted.source} and is off: {why}"
        way = "a required pack cannot be switched off; switch it on again"
        yield _problem(message, wanted, way, code="required-pack-off", others=(record.origin,))
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
        yield _problem(message, wanted, install, code="policy-missing")
    elif not fits(record.version, wanted.specifiers):
        message = f"{wanted.source} wants {wanted.wanted}, and {record.origin} is installed"
        yield _problem(message, wanted, install, code="policy-missing", others=(record.origin,))


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


def _problem(
    message: str, wanted: RequiredPack, *ways: str, code: str, others: tuple[Origin, ...] = ()
) -> Problem:
    return Problem(code=code, message=message, origins=(*others, wanted.origin), ways_out=ways)
