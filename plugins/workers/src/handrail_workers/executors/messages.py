"""Outcomes as JSON, from workers in other processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handrail.frozen import as_json, from_json
from handrail_workers.executors.protocol import Cancelled, Done, Failed, Lost, Outcome

_KINDS: Mapping[str, type[Outcome]] = {
    each.__name__: each for each in (Cancelled, Done, Failed, Lost)
}


def told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    return {"kind": type(outcome).__name__, **as_json(outcome)}


def outcome_from(message: Mapping[str, Any]) -> Outcome:
    """Return an outcome from what `told` returned for it."""
    kind = _KINDS[message["kind"]]
    return from_json(kind, message)
