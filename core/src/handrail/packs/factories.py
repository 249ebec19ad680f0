"""Factories that packs offer by name: for journals, by URL scheme, and for executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from handrail.errors import AmbiguousNameError

if TYPE_CHECKING:
    from handrail.errors import HandrailError
    from handrail.packs.record import PackRecord


def factory_of(
    records: Iterable[PackRecord],
    kind: str,
    name: str,
    known: dict[str, str],
    refused: Callable[[Sequence[str]], HandrailError],
) -> Any | None:
    """Return the factory of a pack that is on, or None; imports only that pack.

    Args:
        records: The installed packs.
        kind: `journals` or `executors`.
        name: Name of the entry point.
        known: Distributions of ours that offer such, by the names of their entry points.
        refused: Makes the error for a pack that offers it and is not on, or that is one of
            `known` and not installed; it is given the ways out.

    Raises:
        AmbiguousNameError: Several packs offer it.
    """
    offered = [
        (record, entry)
        for record in records
        for entry in record.offered(kind)
        if entry.name == name
    ]
    found = [offer for offer in offered if offer[0].is_used]
    if not found:
        from handrail.packs.ours import hint_for  # noqa: PLC0415 - only for errors

        hints = [f"{record.origin} is {record.status}: {record.why}" for record, _ in offered]
        if hints or name in known:
            raise refused(hints or hint_for(known, name))
        return None
    if len(found) > 1:
        owners = " and ".join(str(record.origin) for record, _ in found)
        raise AmbiguousNameError(
            f"{len(found)} packs bring '{name}' {kind}: {owners}",
            ways_out=tuple(f"leave one out:  --no-pack {record.id}" for record, _ in found),
        )
    from handrail.packs.entry_points import import_target  # noqa: PLC0415 - for this pack only

    return import_target(*found[0])
