"""The records of claims: who relies on a target, since when, and in which state."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from enum import StrEnum
from functools import lru_cache
from typing import Any

from handrail.frozen import as_json, from_json, frozen, replace
from handrail_storage.claims.keys import Extent
from handrail_storage.containment import PLAIN

EPOCH = "[0-9a-f]{16}"
"""The name of an epoch, as a regular expression."""

_LAST = 2.5e11  # Seconds, in the year 9892; later ones have no date.
_MARK = re.compile(rf"c1:(?P<epoch>{EPOCH}):(?P<run>{PLAIN})/(?P<step>.+)", re.DOTALL)


class State(StrEnum):
    """The state of a claim."""

    ASKING = "asking"
    WORKING = "working"
    HOLDS = "holds"
    UNDOING = "undoing"
    PRUNED = "pruned"


@frozen
class Mark:
    """The mark of an object: who has made it.

    Attributes:
        epoch: The epoch of the claims then.
        run: The run.
        step: The step.
    """

    epoch: str
    run: str
    step: str

    def __str__(self) -> str:
        return f"c1:{self.epoch}:{self.run}/{self.step}"


@lru_cache(maxsize=1024)  # All objects of a run have the same one.
def parse_mark(text: str | None) -> Mark | None:
    """Return the parts of a mark; None for those of earlier versions, and for no mark."""
    found = None if text is None else _MARK.fullmatch(text)
    return None if found is None else Mark(**found.groupdict())


@frozen
class Claimant:
    """The run that has a claim, for people.

    Attributes:
        run: Its id; empty for all runs that were pruned from their journals.
        number: Its number in its journal; None if it has none.
        host: The machine.
        user: The user.
        journal: The journal, without secrets; empty if the run has none.
        action: The action.
        register: Where it registers what it holds, such as a catalogue, without secrets; empty if
            nowhere. Runs with the same text share what is registered there.
        group: What it keeps up to date at the target, such as the copy of a folder; empty if it
            only adds to it. Runs with the same text may delete what they hold together.
    """

    run: str
    number: int | None = None
    host: str = ""
    user: str = ""
    journal: str = ""
    action: str = ""
    register: str = ""
    group: str = ""

    def __str__(self) -> str:
        if not self.run:
            return "a run that was pruned from its journal"
        name = self.run if self.number is None else str(self.number)
        return f"run {name} on {self.host}" if self.host else f"run {name}"

    @property
    def name(self) -> str:
        """The id of the run, without the suffix of a claim where the run has several."""
        return self.run.partition(".")[0]

    @property
    def details(self) -> str:
        """Its user and its journal, in parentheses; empty if neither is known."""
        user = f"user {self.user}" if self.user else ""
        journal = f"journal {self.journal}" if self.journal else ""
        known = ", ".join(each for each in (user, journal) if each)
        return f" ({known})" if known else ""


@frozen
class ClaimState:
    """The state of a claim, as it lies in the target.

    Attributes:
        claimant: The run.
        state: The state.
        epoch: The epoch of the claims when it was made, which the marks of the run name.
        owner: Identifies the process that works on the run.
        since: When the run asked; seconds since 1970.
        renewed: When the owner renewed it last; seconds since 1970.
        keys: The extent of the keys of the run.
        wanted: Identifies the list of its keys, which lies beside the state.
        held: Identifies the list of what it leaves at the target; None before, and if it is empty.
        earlier: Identify lists that it is about to leave, or was before it was killed.
        known: Whether all on that list is there, as the run has come to hold it.
        wants_undo: Whether a rollback looks for others who are in its way.
        sealed: Whether the objects that it has replaced are discarded, so that it stays.
        freed: Whether somebody undoes the run from outside, without its journal.
        until: When it stays for good, as what it has replaced is kept no longer; seconds since
            1970. None: never.
        dropped: Whether what it has replaced was discarded since then.
    """

    claimant: Claimant
    state: State
    epoch: str
    owner: str
    since: float
    renewed: float
    keys: Extent
    wanted: str
    held: str | None = None
    earlier: tuple[str, ...] = ()
    known: bool = False
    wants_undo: bool = False
    sealed: bool = False
    freed: bool = False
    until: float | None = None
    dropped: bool = False

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.claimant.run

    @property
    def lists(self) -> set[str]:
        """What identifies all lists of held objects that it names."""
        return {*self.earlier, *([] if self.held is None else [self.held])}

    @property
    def relies(self) -> bool:
        """Whether what it holds is relied on."""
        return self.state is State.HOLDS or self.state is State.PRUNED

    @property
    def stays(self) -> bool:
        """Whether nothing undoes it any more."""
        return self.sealed or self.state is State.PRUNED

    def is_over(self, now: float) -> bool:
        """Return whether the time has passed for which what it has replaced was to be kept.

        An undo that has begun before goes on.
        """
        begun = self.wants_undo or self.state is not State.HOLDS
        return self.until is not None and self.until <= now and not begun

    @property
    def commands(self) -> list[str]:
        """What ends it on its machine: commands, the one that goes on first."""
        claimant = self.claimant
        if self.stays or self.freed or claimant.number is None:
            return []
        going = self.state in (State.ASKING, State.WORKING) and not self.wants_undo
        words = ("resume", "rollback") if going else ("rollback",)
        journal = f" --journal {shlex.quote(claimant.journal)}" if claimant.journal else ""
        return [f"handrail {word} {claimant.number}{journal}" for word in words]

    def to_json(self) -> bytes:
        """Return the content of its file."""
        return json.dumps({"schema": 1, **as_json(self)}, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes, run: str) -> ClaimState:
        """Return the state in a file.

        Args:
            content: The content of the file.
            run: The run that the name of the file names.

        Raises:
            ValueError: It is no state of this run.
        """
        document = from_json(dict[str, Any], json.loads(content))
        if document.get("schema") != 1:
            raise ValueError(f"its schema is {document.get('schema')}, which this version lacks")
        found = from_json(cls, {**document, "state": State(document["state"])})
        if found.run != run:
            raise ValueError("it is that of another run")
        if not re.fullmatch(EPOCH, found.epoch):
            raise ValueError("it names no epoch")
        # They become names of files.
        if not all(re.fullmatch("[0-9a-f]{64}", each) for each in (found.wanted, *found.lists)):
            raise ValueError("it names no list")
        times = (found.since, found.renewed, found.until or 0.0)
        if not all(0.0 <= each < _LAST for each in times):  # Nor what is no number at all.
            raise ValueError("it names no time")
        return found

    def now(self, **changes: Any) -> ClaimState:
        """Return it with some changes."""
        return replace(self, **changes)


@frozen
class Entry:
    """A claim, as it was read.

    Attributes:
        state: Its state.
        version: The version of the file of the state.
    """

    state: ClaimState
    version: str


def new_name() -> str:
    """Return a random name, of an epoch or an owner."""
    return secrets.token_hex(8)
