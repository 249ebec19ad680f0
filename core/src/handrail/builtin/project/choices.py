"""Choices of packs: by flags, by variables, by the project, and as recorded with a run."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.frozen import frozen, replace
from handrail.packs import PackRecord
from handrail.packs.catalog import match_packs
from handrail.packs.configuration import Selection, Value

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


def selection_of(choices: Sequence[Choice]) -> Selection:
    """Return the combined selection of `choices`, strongest first, without the project file."""
    no_packs: list[str] = []
    for choice in choices:
        no_packs += [name.value for name in choice.disable if not name.key]
        if choice.only is not None and not choice.only.key:
            # A list of the only packs decides for all packs; weaker sources are ignored.
            return Selection(no_packs=tuple(no_packs), only_packs=choice.only.value)
    return Selection(no_packs=tuple(no_packs))


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
