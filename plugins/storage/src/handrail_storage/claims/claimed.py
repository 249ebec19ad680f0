"""Claimed: a claim as people see it, with what ends it."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from handrail.errors import NotFoundError
from handrail.frozen import frozen
from handrail_storage.claims import Claimant, ClaimState, State
from handrail_storage.texts import age_text

_STATES = {
    State.ASKING: "working",
    State.WORKING: "working",
    State.HOLDS: "relied on",
    State.UNDOING: "undoing",
    State.PRUNED: "pruned",
}


@frozen
class Claimed:
    """A claim, as people see it.

    Attributes:
        state: The claim.
        target: The target, as it was given.
        now: Seconds since 1970.
        name: What `--undo` takes for it.
    """

    state: ClaimState
    target: str
    now: float
    name: str

    @property
    def word(self) -> str:
        """Its state in words."""
        if self.state.freed and self.state.state is not State.UNDOING:
            return "being undone"
        word = "wants to undo" if self.state.wants_undo else _STATES[self.state.state]
        return f"{word}, sealed" if self.state.sealed else word

    @property
    def blocks(self) -> bool:
        """Whether it is in the way of runs with the same keys."""
        return self.state.wants_undo or not self.state.relies

    @property
    def from_here(self) -> str | None:
        """What ends it from any machine: a command."""
        if self.state.stays:
            return None
        return f"handrail claims {shlex.quote(self.target)} --undo {shlex.quote(self.name)}"

    def row(self) -> Sequence[str]:
        """Return its row."""
        return (
            self.name,
            self.state.claimant.action,
            self.word,
            f"{self.state.keys.count:,}",
            f"{age_text(self.now - self.state.since)} ago",
            f"{age_text(self.now - self.state.renewed)} ago",
            self.state.claimant.user,
        )

    def ways(self) -> Iterator[str]:
        """Yield lines about what ends it."""
        claimant = self.state.claimant
        yield f"{claimant}{claimant.details} is in the way of runs with the same keys"
        there = f"on {claimant.host}" if claimant.host else "there"
        words = [there, *["or"] * (len(self.state.commands) - 1)] if self.state.commands else []
        ways = [*zip(words, self.state.commands, strict=True), ("anywhere", self.from_here)]
        width = max(len(word) for word, _ in ways)
        yield from (f"  {word:{width}}  {command}" for word, command in ways if command)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        state, claimant = self.state, self.state.claimant
        return {
            "run": claimant.run,
            "number": claimant.number,
            "host": claimant.host,
            "user": claimant.user,
            "journal": claimant.journal,
            "action": claimant.action,
            "state": self.word,
            "keys": state.keys.count,
            "since": _stamp(state.since),
            "renewed": _stamp(state.renewed),
            "sealed": state.sealed,
            "blocks": self.blocks,
            "ends": self.state.commands,
            "undo": self.from_here,
        }


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def claimed_by(states: Sequence[ClaimState], target: str, now: float) -> list[Claimed]:
    """Return claims as people see them, each with a name that no other one has.

    Journals of one machine have runs with the same number; these are named by their ids.

    Args:
        states: All claims of a target.
        target: The target, as it was given.
        now: Seconds since 1970.
    """
    names = [_numbered(each.claimant) for each in states]
    used = Counter(names)
    return [
        Claimed(state=state, target=target, now=now, name=name if used[name] == 1 else state.run)
        for state, name in zip(states, names, strict=True)
    ]


def _numbered(claimant: Claimant) -> str:
    numbered = claimant.number is not None and claimant.host
    return f"{claimant.number}@{claimant.host}" if numbered else claimant.run


def chosen_of(text: str, claimed: Sequence[Claimed], target: str) -> Claimed:
    """Return the claim that is meant.

    Raises:
        NotFoundError: No claim is, or several are.
    """
    found = [each for each in claimed if each.state.run == text]
    found = found or [each for each in claimed if _numbered(each.state.claimant) == text]
    if not found and re.fullmatch(r"\d{1,7}", text):
        numbered = [each.name for each in claimed if str(each.state.claimant.number) == text]
        raise NotFoundError(
            f"each journal has its own run {text}, so it takes the machine, too",
            ways_out=(*numbered, f"see the claims:  handrail claims {shlex.quote(target)}"),
        )
    found = found or [each for each in claimed if text and text in each.state.run]
    if len(found) == 1:
        return found[0]
    if found:
        ids = [
            f"{each.state.run}  {each.state.claimant}{each.state.claimant.details}"
            for each in found
        ]
        raise NotFoundError(f"{text} may be any of {len(found)} runs", ways_out=ids)
    raise NotFoundError(
        f"no run {text} has a claim at {target}",
        ways_out=(f"see the claims:  handrail claims {shlex.quote(target)}",),
    )
