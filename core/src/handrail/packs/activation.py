"""Decides which packs are used, from the settings and the version of core; no side effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import handrail
from handrail.errors import Problem
from handrail.frozen import frozen, replace
from handrail.origin import Origin
from handrail.packs.record import CORE, PackRecord, Status
from handrail.packs.required import mark_required, unmet
from handrail.settings.names import normalised
from handrail.settings.selection import RECORDED
from handrail.settings.values import Choice, Settings, Value
from handrail.suggest import near

ORDER: tuple[Status, ...] = ("policy", "required", "on", "off", "incompatible", "broken")


@frozen
class Decision:
    """The packs with their status, and the problems found.

    Attributes:
        records: All packs with their status: used ones first, then by id.
        errors: Names of unknown packs in a list of the only packs to use; nothing can be run.
        warnings: Names of unknown packs elsewhere in the settings.
        unmet: Requirements that are not met; nothing can be run.
    """

    records: tuple[PackRecord, ...]
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
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
        _nobody(name, only.why, records, "only")
        for choice in settings.choices
        # On resume or rollback, the started steps show whether a pack is missing.
        if (only := choice.only) is not None and only.source != RECORDED
        for name in only.value
        if not match_packs(name, records)
    ]
    warnings = [
        _nobody(name.value, name.why, records, "disable")
        for choice in settings.choices
        for name in choice.disable
        if name.source != RECORDED and not match_packs(name.value, records)
    ]
    warnings += [
        _nobody(name, settings.source_of(name), records, "set")
        for name in settings.packs
        if not match_packs(name, records)
    ]
    warnings += [
        _nobody(name, grants[0].source, records, "grant")
        for name, grants in settings.grants.items()
        if grants and not match_packs(name, records)
    ]
    return Decision(
        records=tuple(decided),
        errors=tuple(errors),
        warnings=tuple(warnings),
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
            return replace(record, status="off", why=_not_among(choice.only))
    return record


def _not_among(only: Value[tuple[str, ...]]) -> str:
    return f"not in {only.why}"


def _compatible(record: PackRecord) -> PackRecord:
    if record.status != "on" or not record.unmet:
        return record
    why = f"wants {CORE}{record.unmet}, this is {handrail.__version__}"
    problem = Problem(
        code="pack-incompatible",
        message=f"{record.origin} {why}",
        origins=(record.origin,),
        ways_out=(
            f"find versions that fit each other:  pip install --upgrade {CORE} {record.id}",
            f"or leave it out of this call:  --no-pack {record.id}",
            f'or of this project, in handrail.toml:  [packs]  disable = ["{record.id}"]',
        ),
    )
    return replace(record, status="incompatible", why=why, problems=(*record.problems, problem))


def _nobody(name: str, source: str, records: Sequence[PackRecord], where: str) -> Problem:
    known = [each for record in records for each in record.names]
    matches = near(name, dict.fromkeys(known), limit=1)
    file, _, line = source.partition("  ")[0].partition(":")
    ways: list[str] = [f"did you mean {match}?" for match in matches]
    if where == "only":
        ways.append(f"or install it:  pip install {normalised(name)}")
    elif not matches:
        ways.append("remove it, or install the pack")
    return Problem(
        code="unknown-pack",
        message=f"{source}: no installed pack is called {name}",
        origins=(Origin(file=file, line=int(line) if line.isdigit() else 0),),
        ways_out=tuple(ways),
    )
