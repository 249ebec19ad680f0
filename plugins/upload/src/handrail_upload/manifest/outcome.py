"""Outcomes: what a run did with each file of its source, in words for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import NamedTuple

from handrail_upload.manifest.source_file import (
    INCOMPLETE,
    INVALID,
    LEFT_OUT,
    REPLACED,
    SENT,
    SKIPPED,
    UNCHANGED,
    UNSETTLED,
)

OUTCOMES = {
    "new": (SENT,),
    "replaced": (REPLACED,),
    "unchanged": (UNCHANGED,),
    "skipped": (SKIPPED,),
    "unsent": UNSETTLED,
    "left-out": (LEFT_OUT, INVALID),
    "invalid": (INVALID,),
    "deleted": (),
}
"""The states of the files with each outcome. Left out is also what the search left alone; deleted
is what the source had no longer, which is listed by itself."""


class FileOutcome(NamedTuple):
    """What a run did with a file.

    Attributes:
        state: A key of `OUTCOMES`; `invalid`, and not `left-out`, for a file that is not valid.
        key: Key below the target; for what has none, the path below the source.
        size: Bytes, or None if it was not looked at.
        why: The reason if it was left out, or None.
        sha256: SHA-256 of the content, or None if it was not read.
    """

    state: str
    key: str
    size: int | None
    why: str | None
    sha256: str | None


def selects_of(outcomes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield SELECT statements for files with these outcomes, each with the column to order it by.

    They select that column and the values of a `FileOutcome`.
    """
    states = set(chain.from_iterable(OUTCOMES[each] for each in outcomes))
    words = {state: word for word, among in OUTCOMES.items() for state in among}
    if states:
        said = " ".join(f"WHEN '{state}' THEN '{words[state]}'" for state in sorted(states))
        among = ", ".join(f"'{state}'" for state in sorted(states))
        yield (
            f"SELECT id, CASE state {said} END, key, size, problem, nullif(sha256, '') FROM file"
            f" WHERE state IN ({among})",
            "id",
        )
    if "deleted" in outcomes:
        yield "SELECT key, 'deleted', key, size, NULL, sha256 FROM deleted WHERE true", "key"
    if "left-out" in outcomes:
        values = "rowid, 'left-out', name AS key, NULL, why, NULL"
        yield f"SELECT {values} FROM oddity WHERE kind <> '{INCOMPLETE}'", "rowid"
