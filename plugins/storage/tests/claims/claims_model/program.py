"""How programs are written: a generator that yields requests, and says what comes next.

What a program has heard is all that it knows, so a process is the name of its program, the
arguments and the answers. `Next` forgets the answers, which keeps the number of states small.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from claims_model.requests import Request


class Status(StrEnum):
    """What the journal of a run says while no process is at work."""

    NEW = "new"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    UNDOING = "undoing"
    UNDONE = "undone"
    PRUNING = "pruning"
    PRUNED = "pruned"


class Next(NamedTuple):
    """Which program comes next."""

    program: str
    arguments: tuple[Any, ...]


class Process(NamedTuple):
    """A process at work; a dead one leaves `killed` in the journal."""

    program: str
    arguments: tuple[Any, ...]
    answers: tuple[Any, ...]

    @property
    def run(self) -> int:
        """The run that it works for: each program is told that first."""
        first = self.arguments[0]
        return first if isinstance(first, int) else first[0]


Program: TypeAlias = Generator[Request, Any, "Next | Status"]
At: TypeAlias = "Process | Status"


class Runner:
    """Runs programs up to their next request."""

    def __init__(self, programs: object) -> None:
        self._programs = programs
        self._requests: dict[Process, Request] = {}
        self._places: dict[tuple[Process, Any], At] = {}

    def request(self, process: Process) -> Request:
        return self._requests[process]

    def start(self, program: str, *arguments: Any) -> At:
        return self._settle(Next(program, arguments))

    def answered(self, process: Process, answer: Any) -> At:
        """Return where a process is once it has its answer."""
        found = self._places.get((process, answer))
        if found is None:
            after = process._replace(answers=(*process.answers, answer))
            found = self._places[process, answer] = self._go_on(after)
        return found

    def _settle(self, at: Next | Status) -> At:
        return at if isinstance(at, Status) else self._go_on(Process(*at, ()))

    def _go_on(self, process: Process) -> At:
        make: Callable[..., Program] = getattr(self._programs, process.program)
        program = make(*process.arguments)
        try:
            request = next(program)
            for answer in process.answers:
                request = program.send(answer)
        except StopIteration as end:
            return self._settle(end.value)
        self._requests[process] = request
        return process
