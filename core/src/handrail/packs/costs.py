"""The time that packs cost: importing what they offer, and calling their hooks."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING

import handrail
from handrail.errors import PackError
from handrail.packs.entry_points import import_target

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.packs.record import PackRecord


@dataclass(slots=True, kw_only=True)
class Cost:
    """The time that one pack takes, in seconds.

    Attributes:
        pack: The pack.
        imports: For importing all that it offers; what another pack had imported is free.
        hooks: For its hooks, in the plans of all actions together.
    """

    pack: Origin
    imports: float
    hooks: float = 0.0


def import_costs(records: Iterable[PackRecord]) -> list[Cost]:
    """Import all that each used pack offers, and return the time that this takes.

    What cannot be imported is left to `InstalledPacks.check`. Call this first: a second import
    costs nothing.
    """
    # What the core offers, with what it is built on, is no cost of the first pack that uses it.
    for name in handrail.__all__:
        getattr(handrail, name)
    import_module("pydantic.main")
    return [
        Cost(pack=record.origin, imports=_import(record)) for record in records if record.is_used
    ]


def _import(record: PackRecord) -> float:
    began = perf_counter()
    for entry in (*record.hooks, *record.actions, *record.steps, *record.commands):
        with suppress(PackError):
            import_target(record, entry)
    return perf_counter() - began
