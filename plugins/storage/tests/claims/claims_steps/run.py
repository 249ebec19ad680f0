"""Run: what a pack does for one run, with claims."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from claims_steps.actor import Actor
from handrail_storage import StorageError, TakenError
from handrail_storage.claims import (
    Claim,
    Claimant,
    ClaimMissingError,
    ClaimRefusedError,
    Claims,
    Clock,
    Held,
    parse_mark,
)

_LOOKS = 30


def content_of(digest: int) -> bytes:
    """Return the content that a number stands for."""
    return b"content %d" % digest


def sha256_of(digest: int) -> str:
    return hashlib.sha256(content_of(digest)).hexdigest()


@dataclass
class Time:
    """A clock that only sleeping moves on."""

    seconds: float = 1_800_000_000.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=self.now, elapsed=self.now, sleep=self.sleep, asking=0.3, undoing=0.3)


@dataclass
class Run:
    """A run, as its journal knows it.

    Attributes:
        number: Its number, from 0.
        wants: The contents that it wants, by key.
        known: Whether it knows the digests before it works.
        overwrites: Whether it replaces what is there.
        later: The content that it wants in place of all others once it was killed; None: the same.
        status: What its journal says.
        holding: What it is going to rely on.
        held: What it relies on, once its claim says so; it may be killed before it knows.
        actor: The process that works on it.
        equal: Called with key and content where it finds what it wants.
    """

    number: int
    wants: dict[str, int]
    known: bool
    overwrites: bool
    later: int | None
    equal: Callable[[int, str, int], None]
    status: str = "new"
    holding: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    actor: Actor | None = None
    doing: str = ""
    time: Time = field(default_factory=Time)

    @property
    def uid(self) -> str:
        return f"run-{self.number}"

    def claims(self, store: Any) -> Claims:
        about = Claimant(run=self.uid, number=self.number + 1, host="acme", journal="/srv/runs.db")
        return Claims(store, about, clock=self.time.clock())

    def run(self, store: Any) -> str:
        return self._begin(store, self.claims(store).ask, "new")

    def resume(self, store: Any) -> str:
        claims = self.claims(store)
        if claims.opened() is not None:
            return "completed"
        if self.later is not None:
            self.wants = dict.fromkeys(self.wants, self.later)
        return self._begin(store, partial(claims.ask, claimed=True), "interrupted")

    def undo(self, store: Any) -> str:
        before = "completed" if self.held else "interrupted"
        try:
            undoing = self.claims(store).undo()
        except ClaimRefusedError:
            return before
        if undoing is not None:
            undoing.run()
        return "undone"

    def prune(self, store: Any) -> str:
        self.claims(store).prune()
        return "pruned"

    def _begin(self, store: Any, ask: Callable[..., Claim], refused: str) -> str:
        wanted = {
            key: sha256_of(digest) if self.known else None for key, digest in self.wants.items()
        }
        try:
            claim = ask(wanted)
        except ClaimRefusedError:
            return refused
        except ClaimMissingError:
            return "interrupted"
        found = [self._place(store, claim, key, digest) for key, digest in self.wants.items()]
        held = [each for each in found if each is not None]
        self.holding = {each.key: self.wants[each.key] for each in held}
        claim.hold(held)
        return "completed"

    def _place(self, store: Any, claim: Claim, key: str, digest: int) -> Held | None:
        """Store one object; None if it is given up."""
        for _ in range(_LOOKS):
            found = store.stat(key)
            try:
                same = found is not None and store.digest(found) == sha256_of(digest)
            except StorageError:
                continue  # Somebody else has just deleted it.
            if same:
                self.equal(self.number, key, digest)
                return _held(found, digest)
            mark = None if found is None else parse_mark(found.mark)
            own = mark is not None and (mark.epoch, mark.run) == (claim.epoch, self.uid)
            if found is not None and not own and not self.overwrites:
                return None
            try:
                if found is None:
                    claim.drop_stale(key)
                elif not own:
                    store.set_aside(key, claim.aside(key))
                more = (claim.mark("put"), *([] if found is None else [found]))
                put = store.create if found is None else store.replace
                return _held(put(key, content_of(digest), *more), digest)
            except (TakenError, StorageError):
                continue  # Somebody else has just deleted or put it.
        raise AssertionError(f"{key}: it changes all the time")


def _held(found: Any, digest: int) -> Held:
    return Held(key=found.key, size=found.size, sha256=sha256_of(digest), etag=found.etag)
