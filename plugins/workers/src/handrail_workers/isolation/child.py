"""The process of an isolated step: it makes the action again, and runs one attempt of one step."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TextIO, cast

from handrail import BaseStepContext, Plan, RunInfo, RuntimeContext, StepResult
from handrail.errors import ContextError, HandrailError, IsolationError, StepProcessError, describe
from handrail.events import (
    Attached,
    Event,
    MessageLogged,
    MetricsMeasured,
    StatusChanged,
    StepProgressed,
)
from handrail.frozen import replace
from handrail.journal import ContextFields, ValueReader, decode_results, encode
from handrail.places import (
    NOT_BEGUN,
    Blocking,
    Machine,
    NotRun,
    Raised,
    RunState,
    attempt,
    calls_user_code,
    class_of,
    context_for,
    innermost,
    link_run,
    packs_from,
    params_of,
    places_within,
    restore,
    under_names,
)
from handrail_workers.isolation.parcels import Parcels, encoded
from handrail_workers.processes.connection import Connection
from handrail_workers.processes.failures import rebuilt, told
from handrail_workers.processes.parent import Parent


def warm_up(prepare: Mapping[str, Any]) -> None:
    """Import what the steps need, once for all attempts.

    What fails, or is printed, comes again in the process of the step, where it is reported.
    """
    sys.argv[:] = prepare["recipe"]["arguments"]
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            class_of(prepare["recipe"]["action"], packs_from(prepare["recipe"]))
            for name in prepare["modules"]:
                importlib.import_module(name)
        except BaseException:  # noqa: BLE001 - see above
            pass


def main(connection: Connection) -> NoReturn:
    """Run one attempt, and end the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Until there is a step to interrupt.
    try:
        order = connection.receive()
        _limit_memory(order["memory"])
        _write_to(connection, order["terminals"])
        parent = Parent(connection)
        _Step(parent, order).run()
    except EOFError:
        pass  # The run is gone.
    except BaseException as error:  # noqa: BLE001 - the run decides
        with contextlib.suppress(Exception):
            connection.send(["raised", told(error, {}), {}, []])
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(0)


def _limit_memory(size: int | None) -> None:
    if size is not None:
        import resource  # noqa: PLC0415 - not on every system

        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


class _Log:
    """The record of the run, as far as a step reaches it; see `RunLog`."""

    def __init__(self, parent: Parent, step: str) -> None:
        self._parent = parent
        self._step = step

    def record(
        self, position: int, attempt: int, seq: int, key: str, values: Sequence[Any]
    ) -> list[Any]:
        text = encode(list(values), f"rollback data '{key}' of step '{self._step}'")
        self._parent.ask("record", key, json.loads(text))
        return cast("list[Any]", json.loads(text))

    def seal(self, reason: str) -> None:
        self._parent.ask("seal", reason)

    def relies_on(self, uids: Iterable[str]) -> None:
        self._parent.ask("relies_on", list(uids))

    def said(self, position: int, attempt: int, event: Event) -> str:
        if isinstance(event, Attached):
            try:
                json.dumps(event.value)
            except (TypeError, ValueError, RecursionError) as error:
                return f"'{event.name}' is not attached: it has no JSON form: {describe(error)}"
            self._parent.ask("attached", event.name, event.value)
        return ""  # The listener passes the others on, and the run keeps them.

    def stored(self, result: StepResult) -> StepResult:
        return result


class _Logger:
    """Passes what a step reports to its runtime context on to that of the run."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self._parent.send("runtime", "log", event, dict(data), file)

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self._parent.send("runtime", "set_progress", current, total, category)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        self._parent.send("runtime", "set_metrics", dict(value), category)


class _NoClient:
    """Stands for the client of the runtime context, which does not reach another process."""

    def __getattr__(self, name: str) -> Any:
        raise ContextError(
            f"runtime_ctx.client.{name}: the client is not there in the process of an isolated "
            "step",
            ways_out=("make a client in the step, or in restore() of an earlier one",),
        )


def _passes_on(parent: Parent) -> Callable[[Event], None]:
    """Return the listener that passes events of the step on to the run."""

    def listen(event: Event) -> None:
        if isinstance(event, MessageLogged):
            parent.send("line", "logged", event.name, dict(event.data), event.file)
        elif isinstance(event, StepProgressed):
            parent.send("line", "progressed", event.current, event.total, event.category)
        elif isinstance(event, StatusChanged):
            parent.send("line", "has_status", event.status)
        elif isinstance(event, MetricsMeasured):
            value, better = dict(event.value), event.higher_is_better
            parent.send("line", "measured", value, event.category, better)

    return listen


class _Step:
    """One attempt of one step, made as a resumed run is."""

    @calls_user_code
    def __init__(self, parent: Parent, order: Mapping[str, Any]) -> None:
        self._parent = parent
        self._order = order
        self._parcels = Parcels(order["parcels"])
        self._answer: Any = Raised(StepProcessError("it was broken off"))
        self._names: dict[str, str] = {}
        recipe = order["recipe"]
        os.chdir(order["folder"])
        sys.argv[:] = recipe["arguments"]
        provider = packs_from(recipe)
        cls, module = class_of(recipe["action"], provider)
        if recipe["action"].get("main"):
            self._names[module] = "__main__"
        values = params_of(recipe["params"], cls.action_name, recipe["secrets"], cls.params_model)
        ctx = RuntimeContext(_NoClient(), recipe["env"], _Logger(parent))
        action = cls(values, ctx, packs=provider)
        self._serializers = provider.serializers
        plan = _part(action.plan(), order)
        position: int = order["position"]
        self._planned = plan.steps[position]
        self._run = self._state(plan, context_for(action))
        self._context = self._run.line.context
        self._fields, self._given = self._restored()
        self._context.errors[:] = order["errors"]
        self._context.current_step = self._planned.name

    def _state(self, plan: Plan, context: BaseStepContext) -> RunState:
        """Return the state of the run, as it is when the step begins."""
        order, position = self._order, self._order["position"]
        run = RunState(
            plan,
            context,
            run_id=order["uid"],
            describe=lambda _: RunInfo(**self._parent.ask("run_info")),
            clock=time.perf_counter,
            listener=_passes_on(self._parent),
        )
        link_run(context, run.line)
        run.is_recorded(order["uid"], order["number"])
        run.places = places_within()
        run.attempts[position] = order["attempt"]
        run.outcome = order["outcome"]
        run.failure = None if order["failure"] is None else rebuilt(order["failure"])
        load = ValueReader(self._serializers, self._parcels, 0).load
        line = run.line
        line.log = cast("Any", _Log(self._parent, self._planned.name))
        known = [text for text in order["finished"] if text is not None]
        context.step_results[:] = results = decode_results(known, load)
        left = iter(results)
        line.finished[:] = [NOT_BEGUN if text is None else next(left) for text in order["finished"]]
        line.current = position
        return run

    def _restored(self) -> tuple[ContextFields, Mapping[str, str]]:
        """Restore the context of the step; return its fields, and their stored values."""
        stored, number = self._order["stored"], self._order["number"] or 0
        fields = ContextFields(type(self._context), frozenset(self._order["transient"]))
        fields.restore(self._context, stored, number)
        return fields, stored

    def run(self) -> None:
        """Run the attempt, and hand back how it went."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _Driver(self._run).drive(self._play, _ignore_signals)
        line, answer = self._run.line, self._answer
        if line.recording is not None:
            line.recording.close()
        if isinstance(answer, StepResult):
            answer = self._result(answer)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        errors = [str(each) for each in self._context.errors[len(self._order["errors"]) :]]
        fields: dict[str, str] = {}
        try:
            fields = self._fields.encode(self._context, self._given)
        except HandrailError as error:
            if isinstance(answer, str):
                answer = Raised(error)
        if isinstance(answer, str):
            self._parent.send("returned", answer, fields, errors)
        else:
            self._parent.send("raised", told(answer.error, self._names), fields, errors)

    def _play(self) -> Machine:
        line = self._run.line
        broken = yield from restore([(line, 0)], reads=True)
        line.current, self._context.current_step = self._order["position"], self._planned.name
        if broken is not None:
            self._answer = Raised(broken)
            return
        self._parent.send("begins")
        resumed = self._order["resumed"]
        doubt = None if resumed is None else decode_results([resumed])[0]
        if doubt is not None:
            line.go_on_recording(doubt.rollback_data)
        answer = yield attempt(innermost(self._planned.step), self._context, doubt)
        self._answer = Raised(answer.error) if isinstance(answer, NotRun) else answer

    def _result(self, result: StepResult) -> str | Raised:
        """Return a result as text, or why it cannot leave this process."""
        try:
            return encoded(result, self._planned.name, self._serializers, self._parcels)
        except HandrailError as error:
            return Raised(error)


class _Driver(Blocking):
    """Drives one attempt; what comes after one that is broken off is up to the run."""

    def _drive(self, machine: Machine) -> None:
        try:
            self._play(machine)
        finally:
            self._loop.close(self._run)


def _ignore_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _part(plan: Plan, order: Mapping[str, Any]) -> Plan:
    """Return the part of a plan that the run has.

    Raises:
        IsolationError: It is another plan.
    """
    names = order["steps"]
    here = {planned.name: planned for planned in under_names(plan, (name for name, _ in names))}
    if any(
        name not in here or [layer.name for layer in here[name].layers] != layers
        for name, layers in names
    ):
        raise IsolationError(
            "the action has other steps in the process of its step than in the run",
            ways_out=("register the same steps whenever the plan is made",),
        )
    steps = tuple(here[name] for name, _ in names)
    return replace(plan, steps=steps, left_out=frozenset(order["left_out"]))


def _write_to(connection: Connection, terminals: Mapping[str, bool]) -> None:
    """Let the standard streams write where those of the run do."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = _Stream(connection, name, number, terminals[name])
        text = io.TextIOWrapper(
            io.BufferedWriter(raw), "utf-8", "surrogateescape", line_buffering=True
        )
        setattr(sys, name, cast("TextIO", text))


class _Stream(io.RawIOBase):
    """A standard stream of the step's process, whose texts the run writes to its own."""

    def __init__(self, connection: Connection, name: str, number: int, terminal: bool) -> None:
        self._connection = connection
        self._name = name
        self._number = number
        self._terminal = terminal
        self._process = os.getpid()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._terminal

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        if os.getpid() != self._process:
            return os.write(self._number, bytes(data))
        with contextlib.suppress(OSError):
            self._connection.send(["write", self._name, self._decode(bytes(data))])
        return len(data)
