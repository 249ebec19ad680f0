"""Calls and outcomes as JSON, for workers in other processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from handrail.executors.protocol import (
    AttemptId,
    Cancelled,
    ChunkCall,
    CodeRef,
    Done,
    Failed,
    ItemError,
    ItemLine,
    Lost,
    Note,
    Outcome,
)
from handrail.frozen import values_of

_KINDS: Mapping[str, type[Outcome]] = {
    each.__name__: each for each in (Cancelled, Done, Failed, Lost)
}


def code_from(message: Mapping[str, Any]) -> CodeRef:
    """Return a CodeRef from `values_of` one that was JSON."""
    lists: dict[str, Any] = {name: tuple(message[name]) for name in ("path", "checked")}
    return CodeRef(**{**message, **lists})


def call_from(message: Mapping[str, Any]) -> ChunkCall:
    """Return a ChunkCall from `values_of` one that was JSON."""
    values = dict(message)
    values["attempt"] = AttemptId(*message["attempt"])
    values["notes"] = notes_from(message["notes"])
    if message["chosen"] is not None:
        values["chosen"] = tuple(message["chosen"])
    return ChunkCall(**values)


def notes_from(message: Sequence[Sequence[Any]]) -> tuple[Note, ...]:
    """Return notes that were JSON."""
    return tuple(Note(*each) for each in message)


def told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    values = values_of(outcome)
    if isinstance(outcome, Done):
        values["errors"] = [values_of(each) for each in outcome.errors]
    return {"kind": type(outcome).__name__, **values}


def outcome_from(message: Mapping[str, Any]) -> Outcome:
    """Return an outcome from what `told` returned for it."""
    values = dict(message)
    kind = _KINDS[values.pop("kind")]
    values["attempt"] = AttemptId(*values["attempt"])
    if kind is Done:
        values["errors"] = tuple(ItemError(**each) for each in values["errors"])
        values["logged"] = tuple(ItemLine(*each) for each in values["logged"])
    return kind(**values)
