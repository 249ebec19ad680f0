"""Scene: a target with a few runs, somebody else who writes there, and what must be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from claims_model.ghosts import UNKNOWN, Ghosts
from claims_model.target import Object, put

from claims_steps.actor import Actor, GatedStore
from claims_steps.run import Run, content_of
from handrail_storage import Store, open_store
from handrail_storage.claims import claims_at, parse_mark

FOREIGN = 9
"""The content that only somebody else puts."""

_NUMBERS = {content_of(number): number for number in (1, 2, 3, FOREIGN)}
_CHANGES = ("create", "replace", "put_over", "delete_found")
_COMMANDS = {
    "new": ("run",),
    "interrupted": ("resume", "undo"),
    "completed": ("undo", "prune"),
    "undoing": ("undo",),
    "undone": (),
    "pruning": ("prune",),
    "pruned": (),
}
_KILLED = {"undo": "undoing", "prune": "pruning"}
_ENDS = ("new", "undone", "pruned")
_LATEST = 60  # Attempts to undo everything; runs that are in the way of each other take turns.


class Scene:
    """Runs on one target, and a reference model of what they should do to it.

    Args:
        place: The target, which is empty.
        keys: The keys.
        runs: What to make of each run: its wishes, and how it goes about them.
        foreign: The content that somebody else has put under each key before.
    """

    def __init__(
        self, place: str, keys: Sequence[str], runs: Sequence[dict[str, Any]], foreign: list[Any]
    ) -> None:
        self.place, self.keys = place, list(keys)
        self.store = self._opened()
        self.store.prepare(lambda name: None)
        self._capabilities = self.store.probe(".handrail-probe", "somebody")
        self.runs = [Run(number=n, equal=self._found, **each) for n, each in enumerate(runs)]
        self.log: list[str] = []
        for key, digest in zip(keys, foreign, strict=True):
            if digest is not None:
                self._put(key, digest)
        objects = tuple(None if each is None else Object(each) for each in foreign)
        self.ghosts = Ghosts.at_first(len(runs), objects)

    # What can happen

    def commands(self, run: Run) -> tuple[str, ...]:
        return () if run.actor is not None else _COMMANDS[run.status]

    def begin(self, run: Run, command: str) -> None:
        """Start a process, up to its first request."""
        self.log.append(f"{run.uid}: {command}")
        work: Callable[[Any], str] = getattr(run, command)
        run.doing = command

        def main(actor: Actor) -> str:
            heard = self._listener(run)
            return work(GatedStore(self._opened(), actor, heard))

        run.actor = Actor(main)

    def go(self, run: Run, requests: int) -> None:
        """Let a process do some requests."""
        for _ in range(requests):
            if run.actor is not None and (run.actor.ended or not run.actor.step()):
                self._end(run)
            self.check_completed()

    def finish(self, run: Run) -> None:
        while run.actor is not None:
            self.go(run, 1)

    def kill(self, run: Run) -> None:
        assert run.actor is not None
        self.log.append(f"{run.uid}: killed")
        run.actor.kill()
        run.actor = None
        run.status = _KILLED.get(run.doing, "interrupted")

    def others_put(self, key: str, digest: int | None) -> None:
        """Let somebody else put or delete an object."""
        place = self.keys.index(key)
        found = self.object_at(key)
        self.log.append(f"somebody else: {key} becomes {digest} in place of {found}")
        self._put(key, digest)
        ours = found is not None and found.mark is not None
        wanted = None if digest is None else Object(digest)
        self.ghosts = self.ghosts.replaced(len(self.runs), place, None)._replace(
            foreign=put(self.ghosts.foreign, place, UNKNOWN if wanted is None and ours else wanted)
        )

    def undo_all(self, order: Sequence[int]) -> None:
        """Let all processes end, then undo all runs in this order, as often as they refuse.

        Of runs that were killed and are in the way of each other, one is resumed.
        """
        for run in self.runs:
            self.finish(run)
        for _ in range(_LATEST):
            before = [run.status for run in self.runs]
            for number in order:
                for command in ("undo", "prune"):
                    self._do(self.runs[number], command)
            if all(run.status in _ENDS for run in self.runs):
                return
            after = [run.status for run in self.runs]
            if before == after and "interrupted" in after:
                self._do(self.runs[after.index("interrupted")], "resume")
        raise AssertionError(f"nothing frees {[run.status for run in self.runs]}")

    def _do(self, run: Run, command: str) -> None:
        if command in self.commands(run):
            self.begin(run, command)
            self.finish(run)

    def close(self) -> None:
        for run in self.runs:
            if run.actor is not None:
                self.kill(run)

    # What must hold

    def check_completed(self) -> None:
        """Check that each completed run has what it relies on, unless it was replaced since."""
        for run in self.runs:
            if run.status not in ("completed", "pruned") or run.actor is not None:
                continue
            for key, digest in run.held.items():
                place = self.keys.index(key)
                if self.ghosts.covered[run.number][place]:
                    continue
                found = self.object_at(key)
                assert found is not None, f"{run.uid} has completed and lost {key}"
                assert found.digest == digest, f"{run.uid} has completed; {key} is {found}"

    def check_undone(self) -> None:
        """Check that nothing of ours is left, and that everything else is back."""
        self.check_completed()
        pruned = [run for run in self.runs if run.status == "pruned" and run.held]
        stays = {key for run in pruned for key in run.held}
        left = {name for name, _ in self.store.small_files.names("")}
        if pruned:
            kept = ("kept", "lists/", "claims/epoch", *(f"claims/{run.uid}/" for run in pruned))
            left = {name for name in left if not name.startswith(kept)}
            left = {name for name in left if name.rpartition("/")[2] not in stays}
        assert left == set(), "nothing of ours is left"
        if self.store.local:
            assert pruned or not Path(self.place, ".handrail-target").exists()
            names = {path.name for path in Path(self.place).iterdir()} - {".handrail-target"}
            assert names <= set(self.keys)
        for key, wanted in zip(self.keys, self.ghosts.foreign, strict=True):
            found = self.object_at(key)
            if key not in stays:
                assert found is None or found.mark is None, f"{key} is left"
                assert wanted in (found, UNKNOWN), f"{key} is {found}, and should be {wanted}"

    def object_at(self, key: str) -> Object | None:
        """Return what is under a key, seen from outside."""
        content, found = self.store.read(key), self.store.stat(key)
        if content is None or found is None:
            return None
        mark = parse_mark(found.mark)
        return Object(_NUMBERS[content], None if mark is None else (mark.epoch, mark.run))  # type: ignore[arg-type]

    # What is heard of requests

    def _listener(self, run: Run) -> Callable[..., Any]:
        def heard(name: str, arguments: tuple[Any, ...]) -> Any:
            shown = ", ".join(_short(each) for each in arguments)
            self.log.append(f"{run.uid}: {name}({shown})")
            if name in _CHANGES:
                return self._change(run, name, arguments)
            if name == "swap" and b'"state": "holds"' in arguments[1]:
                return lambda swapped: self._holds(run) if swapped is not None else None
            if name == "remove" and arguments[0] == f"claims/{run.uid}/state":
                return lambda removed: self._undone(run) if run.doing == "undo" else None
            return None

        return heard

    def _change(self, run: Run, name: str, arguments: tuple[Any, ...]) -> Callable[[Any], None]:
        key = {"put_over": lambda: arguments[1], "delete_found": lambda: arguments[0][0].key}.get(
            name, lambda: arguments[0]
        )()
        before = self.object_at(key)

        def after(result: Any) -> None:
            now = self.object_at(key)
            self.log.append(f"    {key}: {before} -> {now}")
            if before is not None and before.mark is None and now != before:
                assert name == "replace", f"{run.uid} has taken away what is foreign"
                assert self._is_aside(run, key, before), f"{run.uid} has lost what is foreign"
            if name in ("create", "replace") and now is not None:
                place = self.keys.index(key)
                ghosts = self.ghosts.replaced(run.number, place, now.digest)
                self.ghosts = ghosts.established(run.number, place, now.digest)

        return after

    def _found(self, number: int, key: str, digest: int) -> None:
        self.ghosts = self.ghosts.established(number, self.keys.index(key), digest)

    def _holds(self, run: Run) -> None:
        run.held = run.holding

    def _undone(self, run: Run) -> None:
        states = {each.run: each for each in claims_at(self.store)[0]}

        def relies(other: int, key: int, digest: int) -> bool:
            if self.runs[other].status in ("pruning", "pruned"):
                return self.runs[other].held.get(self.keys[key]) == digest
            state = states.get(self.runs[other].uid)
            if state is None or state.state not in ("working", "holds"):
                return False
            if state.known:
                return self.runs[other].held.get(self.keys[key]) == digest
            return self.ghosts.relied[other][key] == digest

        lying = [self._lying(key) for key in self.keys]
        self.ghosts = self.ghosts.undone(run.number, lying, relies)

    def _lying(self, key: str) -> set[int]:
        names = [f".handrail-target/{name}" for name in self._asides(key)]
        contents = [self.store.read(name) for name in (key, *names)]
        return {_NUMBERS[each] for each in contents if each is not None}

    def _is_aside(self, run: Run, key: str, before: Object) -> bool:
        names = [name for name in self._asides(key) if f"/{run.uid}/" in name]
        return any(
            self.store.read(f".handrail-target/{n}") == content_of(before.digest) for n in names
        )

    def _asides(self, key: str) -> list[str]:
        names = [name for name, _ in self.store.small_files.names("aside/")]
        return [name for name in names if name.endswith(f"/{key}")]

    def _end(self, run: Run) -> None:
        assert run.actor is not None
        assert run.actor.ended is not None
        run.status = run.actor.ended
        run.actor = None
        self.log.append(f"{run.uid}: {run.doing} ended, {run.status}")

    # The target from outside

    def _opened(self) -> Store:
        store = open_store(self.place)
        store.lag = 0.0
        if hasattr(self, "_capabilities"):
            store.capabilities = self._capabilities
        return store

    def _put(self, key: str, digest: int | None) -> None:
        if self.store.local:
            path = Path(self.place, key)
            path.unlink(missing_ok=True)
            if digest is not None:
                path.write_bytes(content_of(digest))
            return
        self.store.delete([key])
        if digest is not None:
            self.store.create(key, content_of(digest), "somebody else")


def _short(value: object) -> str:
    text = getattr(value, "key", None) or repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
