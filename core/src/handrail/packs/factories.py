"""Factories that packs offer by name: for journals, by URL scheme, and for executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import AmbiguousNameError, JournalUrlError
from handrail.packs.entry_points import import_target
from handrail.packs.ours import JOURNALS, hint_for

if TYPE_CHECKING:
    from handrail.errors import HandrailError
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.record import PackRecord


def journal_factory(packs: InstalledPacks, scheme: str) -> Callable[[str], Any] | None:
    """Return the factory of journals for a URL scheme from a pack that is on, or None.

    Imports only that pack.

    Raises:
        JournalUrlError: A pack that is known for such journals is not installed or not on.
        AmbiguousNameError: Several packs have it.
    """

    def refused(hints: Sequence[str]) -> JournalUrlError:
        return JournalUrlError(
            f"no installed pack provides journals in '{scheme}:'", ways_out=hints
        )

    factory = factory_of(packs.records, "journals", scheme, JOURNALS, refused)
    return cast("Callable[[str], Any] | None", factory)


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
    return import_target(*found[0])
