"""Decides which packs are used: by what was chosen, and by the version of core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import handrail
from handrail.errors import Problem
from handrail.frozen import replace
from handrail.own_points import CORE
from handrail.packs.choices import Choice
from handrail.packs.record import EntryPoint, PackRecord, Status, normalised, ways_out

if TYPE_CHECKING:
    from handrail.packs.configuration import Configuration

ORDER: tuple[Status, ...] = ("policy", "required", "on", "off", "incompatible", "broken")


def decide(
    records: Iterable[PackRecord],
    choices: Sequence[Choice] = (),
    judged: Callable[[PackRecord], PackRecord] = lambda record: record,
) -> tuple[PackRecord, ...]:
    """Return all packs with their status: used ones first, then by id.

    Args:
        records: The packs.
        choices: The enabled and disabled packs, strongest source first.
        judged: Returns a pack after these choices with its last status, as of a required pack.
    """
    records = tuple(records)
    decided = [judged(_compatible(_apply_choices(each, choices, records))) for each in records]
    return tuple(sorted(decided, key=lambda each: (ORDER.index(each.status), each.id)))


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


def wanted_hooks(record: PackRecord, configuration: Configuration) -> tuple[EntryPoint, ...]:
    """Return the modules of hooks that a pack needs now.

    One of the group `handrail.packs_if_set` is needed where the variable after which it is named is
    set, or where somebody has given the pack settings.
    """
    waiting = record.offered("packs_if_set")
    if not waiting or configuration.table(record).is_given:
        return record.hooks
    variables = configuration.flags.environ
    needed = {each.value for each in waiting if variables.get(each.name)}
    return tuple(
        hook for hook in record.hooks if hook.group != waiting[0].group or hook.value in needed
    )
