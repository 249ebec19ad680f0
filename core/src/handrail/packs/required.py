"""Checks the installed packs against the requirements of settings and policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.origin import Origin
from handrail.packs.record import PackRecord
from handrail.settings.names import normalised
from handrail.settings.requirements import RequiredPack, fits
from handrail.settings.values import Settings

POLICY = "policy"


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
        return replace(record, why=f"{record.why}; required by {_who(demands[0].origin)}")
    if record.status != "on":
        return record
    for each in demands:
        if not fits(record.version, each.specifiers):
            return replace(record, status="incompatible", why=f"{each.brief} wants {each.wanted}")
    return replace(record, status="required", why=demands[0].brief)


def _who(origin: Origin) -> str:
    return origin.owner if origin.pack else origin.place


def unmet(records: Sequence[PackRecord], settings: Settings) -> Iterator[Problem]:
    """Yield a problem for each required pack or policy that is missing or unsuitable.

    Args:
        records: The packs, after `mark_required`.
        settings: The settings that apply.
    """
    by_id = {record.id: record for record in records}
    yield from _contradictions(settings.required.packs)
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


def _contradictions(required: Sequence[RequiredPack]) -> Iterator[Problem]:
    """Yield a problem for each two requirements on one pack that no version can satisfy."""
    for number, each in enumerate(required):
        for other in required[:number]:
            if other.id == each.id and not _agree(other.specifiers, each.specifiers):
                yield Problem(
                    code="requirements-contradict",
                    message=f"{other.source} requires {other.wanted}, and {each.source} "
                    f"{each.wanted}: no version satisfies both",
                    origins=(other.origin, each.origin),
                    ways_out=("change one of the two",),
                )


def _agree(first: str, second: str) -> bool:
    """Return whether a version exists in both ranges: at a bound, just above it, or below all."""
    both = f"{first},{second}"
    bounds = {clause.lstrip("=~!<>").removesuffix(".*") for clause in both.split(",")} - {""}
    around = chain({"0"}, bounds, (f"{each}.0.0.1" for each in bounds))
    return any(fits(version, both) for version in around)
