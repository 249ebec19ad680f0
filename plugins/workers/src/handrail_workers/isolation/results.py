"""Results as text from one process to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import ResultDataError
from handrail.journal import ValueWriter, encode_result, is_json, items_of

if TYPE_CHECKING:
    from handrail import StepResult
    from handrail.journal import Serializers
    from handrail_workers.isolation.parcels import Parcels


def encoded(result: StepResult, name: str, serializers: Serializers, parcels: Parcels) -> str:
    """Return a result as text; the values in it that JSON lacks are parcels.

    Args:
        result: The result.
        name: Name of its step.
        serializers: The serializers for such values.
        parcels: Where they are stored.

    Raises:
        ResultDataError: A value cannot be stored.
        RollbackDataError: The rollback data has no JSON form.
    """
    stored: dict[str, str] = {}
    for key, value in items_of(result.data):
        if is_json(value):
            continue
        entry = ValueWriter(serializers, parcels, str).store(f"{name}-{key}", value)
        if entry.kind:
            why = f": {entry.why}" if entry.why else ""
            raise ResultDataError(
                f"'{key}' of step '{name}' is {entry.kind}, which cannot be handed from one "
                f"process to another{why}",
                ways_out=("return a path, or a value of a type that has a serializer",),
            )
        stored[key] = entry.text
    return encode_result(result, name, stored=stored)
