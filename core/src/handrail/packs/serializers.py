"""Finds the serializers of packs from metadata; a pack is imported when a value needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from handrail.errors import PackError
from handrail.packs.ours import SERIALIZERS
from handrail.packs.record import import_target, pack_error
from handrail.serializers import Found, Serializer

if TYPE_CHECKING:
    from handrail.packs.record import EntryPoint, PackRecord

KIND = "serializers"
"""The kind of the entry points: `handrail.serializers`."""


class InstalledSerializers:
    """The serializers of packs.

    Args:
        records: Returns the packs; called when a value is met that JSON lacks.
    """

    def __init__(self, records: Callable[[], Iterable[PackRecord]]) -> None:
        self._records = records

    def for_type(self, kind: type) -> Found | None:
        """Return the serializer for values of `kind`, or None.

        Raises:
            PackError: The serializer cannot be imported, or two packs have one.
        """
        for each in kind.__mro__[:-1]:
            name = f"{each.__module__}.{each.__qualname__}"
            found = [(record, entry) for record, entry in self._offered if entry.name == name]
            if len(found) > 1:
                packs = " and ".join(str(record.origin) for record, _ in found)
                raise PackError(
                    f"two packs store values of {name}: {packs}",
                    ways_out=tuple(f"leave one out: --no-pack {r.id}" for r, _ in found),
                )
            if found:
                return _imported(*found[0])
        return None

    def hint(self, kind: type) -> str:
        """Return the command that installs a serializer of ours for `kind`, or an empty text."""
        for each in kind.__mro__[:-1]:
            pack = SERIALIZERS.get(each.__module__.partition(".")[0])
            if pack is not None and all(record.id != pack for record in self._records()):
                return f"pip install {pack}"
        return ""

    def named(self, type: str, pack: str) -> Found:  # noqa: A002 - as recorded
        """Return the serializer of a pack for a type.

        Raises:
            PackError: There is none, or it cannot be imported.
        """
        for record, entry in self._offered:
            if record.id == pack and entry.name == type:
                return _imported(record, entry)
        raise PackError(
            f"{pack} stored a {type}, and is not used here",
            ways_out=(f"pip install {pack}", "or do not leave it out with --no-pack"),
        )

    @cached_property
    def _offered(self) -> list[tuple[PackRecord, EntryPoint]]:
        return [
            (record, entry)
            for record in self._records()
            if record.is_used
            for entry in record.offered(KIND)
        ]


def _imported(record: PackRecord, entry: EntryPoint) -> Found:
    serializer = import_target(record, entry)
    if not isinstance(serializer, Serializer):
        raise pack_error(
            f"{record.origin}: serializers {entry.name} ({entry.value}) is not an object with the "
            "attributes of handrail.Serializer",
            record.origin,
        )
    return Found(type=entry.name, pack=record.id, serializer=serializer)
