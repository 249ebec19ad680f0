"""Adds runs to a journal as processes would have left them, without starting any."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journals.places import new_run

from handrail.journal import AttemptChange, Change, NoteRow, RunChange
from handrail.sqlite import SqliteJournal


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The output of a command and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


Call = Callable[..., Screen]


def planned(name: str, **more: Any) -> dict[str, Any]:
    """Return a step in the form of a recorded plan."""
    origin = {"pack": None, "version": "", "module": "flows", "file": "flows.py", "line": 1}
    usual = {"origin": origin, "layers": [], "undo": True, "resume": False, "effects": True}
    return {"name": name, "always_run": False, **usual, **more}


def started(step: str, n: int = 1) -> AttemptChange:
    return AttemptChange(step=step, n=n, state="started")


def done(step: str, *, took: float = 0.25, **rollback_data: object) -> AttemptChange:
    return ended(step, "done", took=took, rollback_data=rollback_data)


def ended(step: str, state: Any, *, n: int = 1, error: str | None = None, **more: Any) -> Change:
    failure = {} if error is None or state == "undo_failed" else {"success": False, "error": error}
    result = json.dumps({"rollback_data": {}, **failure, **more})
    return AttemptChange(step=step, n=n, state=state, error=error, result=result)


def noted(step: str, key: str, *values: object, seq: int = 1, n: int = 1) -> NoteRow:
    return NoteRow(step=step, n=n, seq=seq, key=key, values=json.dumps(values))


@dataclass
class Journal:
    """The journal of a project, to which runs can be added."""

    folder: Path
    opened: list[SqliteJournal] = field(default_factory=list[SqliteJournal])

    def __post_init__(self) -> None:
        (self.folder / ".handrail").mkdir(exist_ok=True)
        self.opened.append(SqliteJournal(self.folder / ".handrail" / "runs.db"))

    def add(
        self,
        steps: Sequence[dict[str, Any]],
        *changes: Change,
        outcome: Any = None,
        dead: bool = True,
        **about: str,
    ) -> int:
        """Add a run that has ended, or whose process is dead or alive; return its number."""
        plan = json.dumps({"fingerprint": "1234567890abcdef", "steps": list(steps)})
        owned = self.opened[0].open_run(new_run(**{"plan": plan, **about}), changes)
        if outcome is not None:
            owned.write([RunChange(outcome=outcome)])
            owned.release()
        elif dead:
            # As when a process dies: the lock is free, the lease is not given up.
            owned._lock.close()
            owned._renewal.stop()
        return owned.number
