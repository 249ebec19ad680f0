"""Finds the pack whose journals have a scheme of URLs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import JournalUrlError
from handrail.packs.factories import factory_of
from handrail.packs.ours import JOURNALS

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks


def journal_factory(packs: InstalledPacks, scheme: str) -> Callable[[str], Any] | None:
    """Return the factory for a URL scheme from a pack that is on; imports only that pack.

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
