"""Claimed: a claim as people see it, with what ends it."""

from __future__ import annotations

import platform
import re
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from handrail.errors import NotFoundError
from handrail.frozen import frozen
from handrail_storage.claims import ClaimState, State
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
        numbered: Whether its number and its machine tell it from all others.
    """

    state: ClaimState
    target: str
    now: float
    numbered: bool

    @property
    def word(self) -> str:
        """Its state in words."""
        if self.state.freed and self.state.state is not State.UNDOING:
            return "being undone"
        word = "wants to undo" if self.state.wants_undo else _STATES[self.state.state]
        return f"{word}, sealed" if self.state.sealed or self._is_over else word

    @property
    def _is_over(self) -> bool:
        return self.state.is_over(self.now)

    @property
    def blocks(self) -> bool:
        """Whether it is in the way of runs with the same keys."""
        return self.state.wants_undo or not self.state.relies

    @property
    def from_here(self) -> str | None:
        """What ends it from any machine: a command."""
        if self.state.stays or self._is_over:
            return None
        return f"handrail claims {shlex.quote(self.target)} {self.undo}"

    @property
    def name(self) -> str:
        """What `--undo` takes for it: its number, beside the machine; else its id."""
        return str(self.state.claimant.number) if self.numbered else self.state.run

    @property
    def undo(self) -> str:
        """The options that undo it."""
        on = f" --on {shlex.quote(self.state.claimant.host)}" if self.numbered else ""
        return f"--undo {shlex.quote(self.name)}{on}"

    def row(self) -> Sequence[str]:
        """Return its row."""
        return (
            self.name,
            self.word,
            self.state.claimant.host or "-",
            self.state.claimant.action,
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
            "id": claimant.number,
            "uid": claimant.run,
            "host": claimant.host,
            "user": claimant.user,
            "journal": claimant.journal,
            "action": claimant.action,
            "state": self.word,
            "keys": state.keys.count,
            "since": _stamp(state.since),
            "renewed": _stamp(state.renewed),
            "sealed": state.sealed or self._is_over,
            "until": None if state.until is None else _stamp(state.until),
            "blocks": self.blocks,
            "ends": self.state.commands,
            "undo": self.from_here,
        }


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def claimed_by(states: Sequence[ClaimState], target: str, now: float) -> list[Claimed]:
    """Return claims as people see them.

    Journals of one machine have runs with the same number; these are named by their ids.

    Args:
        states: All claims of a target.
        target: The target, as it was given.
        now: Seconds since 1970.
    """
    used = Counter((each.claimant.host, each.claimant.number) for each in states)
    return [
        Claimed(
            state=state,
            target=target,
            now=now,
            numbered=bool(claimant.number is not None and claimant.host)
            and used[claimant.host, claimant.number] == 1,
        )
        for state in states
        for claimant in [state.claimant]
    ]


def chosen_of(text: str, host: str | None, claimed: Sequence[Claimed], target: str) -> Claimed:
    """Return the claim that is meant.

    Args:
        text: The number of the run, its id, or a part of that.
        host: The machine of the run; this one for a number, unless given.
        claimed: All claims of the target.
        target: The target, as it was given.

    Raises:
        NotFoundError: No claim is, or several are.
    """
    there = [each for each in claimed if host in (None, each.state.claimant.host)]
    found = [each for each in there if each.state.run == text]
    if not found and re.fullmatch(r"\d{1,7}", text):
        found = [each for each in there if str(each.state.claimant.number) == text]
        elsewhere = [each for each in found if each.state.claimant.host != platform.node()]
        if host is None and elsewhere:
            raise NotFoundError(
                f"each journal has its own run {text}, so it takes the machine, too",
                ways_out=(*(each.undo for each in found), _see(target)),
            )
    elif not found:
        found = [each for each in there if text and text in each.state.run]
    if len(found) == 1:
        return found[0]
    on = f" on {host}" if host else ""
    if found:
        ids = [
            f"{each.state.run}  {each.state.claimant}{each.state.claimant.details}"
            for each in found
        ]
        raise NotFoundError(f"{text}{on} may be any of {len(found)} runs", ways_out=ids)
    raise NotFoundError(f"no run {text}{on} has a claim at {target}", ways_out=(_see(target),))


def _see(target: str) -> str:
    return f"see the claims:  handrail claims {shlex.quote(target)}"
