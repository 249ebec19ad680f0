"""Isolation: runs the isolated steps of one run, each attempt in a process of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any

from handrail.errors import ContextError, IsolationError
from handrail.journal import ContextFields, ValueReader, decode_results, encode_result
from handrail.places import NOT_BEGUN, fields_not_stored, innermost, recipe_of, running_loop
from handrail_workers.isolation.attempt import IsolatedAttempt
from handrail_workers.isolation.parcels import Parcels, encoded
from handrail_workers.processes.failures import told
from handrail_workers.processes.helper import Helper

if TYPE_CHECKING:
    from handrail import BaseAction, Plan, StepResult
    from handrail.packs import PackProvider
    from handrail.places import Line, RunState


class Isolation:
    """Isolates the steps of one run.

    Args:
        action: The action of the run.
        provider: The provider of its packs.
    """

    def __init__(self, action: BaseAction[Any], provider: PackProvider) -> None:
        self._action = action
        self._provider = provider
        self._serializers = provider.serializers
        self._recipe: dict[str, Any] = {}
        self._transient: frozenset[str] = frozenset()
        self._helper: Helper | None = None
        self._lock: int | None = None
        self._fields: ContextFields | None = None
        self._parcels = Parcels("")
        self._starting = threading.Lock()

    def check(self, run: RunState) -> None:
        """Check, before the run begins, that its isolated steps can run in other processes.

        Raises:
            IsolationError: They cannot.
        """
        name = ""
        for planned in run.plan.steps:
            if planned.limits is None or not planned.limits.isolated:
                continue
            name = name or planned.name
            if not hasattr(os, "fork") or not sys.executable:
                raise IsolationError(f"step '{planned.name}' cannot be isolated on {sys.platform}")
            if planned.limits.memory is not None and sys.platform != "linux":
                raise IsolationError(
                    f"the memory of step '{planned.name}' cannot be limited on {sys.platform}",
                    ways_out=("leave out memory; the timeouts of an isolated step work here",),
                )
        self._recipe = recipe_of(self._action, self._provider)
        model = self._action.params_model
        self._transient = fields_not_stored(model, self._recipe["params"])
        context = run.line.context
        try:
            self._fields = fields = ContextFields(type(context), self._transient)
            fields.encode(context, {})
        except ContextError as error:
            raise _refuse_context(name, error) from error

    def open(self, run: RunState, lock: int | None, *, early: bool) -> None:
        """Take a run that begins; see `Performer`."""
        self._lock = lock
        if early:
            with contextlib.suppress(OSError):  # Then the first step that needs it fails.
                self._start(run)

    def _start(self, run: RunState) -> Helper:
        self._helper = helper = Helper(() if self._lock is None else (self._lock,))
        self._parcels = Parcels(tempfile.mkdtemp(prefix="handrail-isolated-"))
        helper.prepare(
            {
                "serves": "handrail_workers.isolation.child",
                "recipe": self._recipe,
                "modules": _modules_of(run.plan),
                "parcels": self._parcels.folder,
            }
        )
        return helper

    def close(self) -> None:
        """End all processes, and wait for that."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.close()
            self._parcels.remove()

    def attempt(self, line: Line, resumed: StepResult | None) -> StepResult | Awaitable[StepResult]:
        """Run an attempt of the running step of `line`; in an event loop, return an awaitable."""
        if self._fields is None:
            self.check(line.run)
        with self._starting:
            helper = self._helper
            if helper is None or not helper.lives:
                self.close()
                helper = self._start(line.run)
        order, fields = self._order(line, resumed)
        attempt = IsolatedAttempt(line, helper, order, partial(self._hand_back, fields))
        if line.run.in_thread is None or not running_loop():
            return attempt.play()
        # In the process of a run with an async driver, which has imported it.
        from handrail.places import call_until_stopped  # noqa: PLC0415

        return call_until_stopped(attempt.play, attempt.stop)

    def _order(
        self, line: Line, resumed: StepResult | None
    ) -> tuple[dict[str, Any], ContextFields]:
        """Return all that the process of an attempt has to know, and the fields of its context."""
        run, context, planned = line.run, line.context, line.running()
        assert planned is not None
        assert planned.limits is not None
        try:
            assert self._fields is not None
            fields = self._fields
            stored = fields.encode(context, {})
        except ContextError as error:
            raise _refuse_context(planned.name, error) from error
        order = {
            "recipe": self._recipe,
            "folder": os.getcwd(),
            "transient": sorted(self._transient),
            "parcels": self._parcels.folder,
            "uid": run.run_id,
            "number": run.number,
            "steps": [
                [each.name, [layer.name for layer in each.layers]] for each in run.plan.steps
            ],
            "left_out": sorted(run.plan.left_out),
            "position": line.position,
            "attempt": run.attempts.get(line.position, 1),
            "finished": [self._encoded(line, place) for place in range(len(line.finished))],
            "resumed": None if resumed is None else encode_result(resumed, planned.name),
            "stored": stored,
            "errors": [str(each) for each in context.errors],
            "outcome": run.outcome,
            "failure": None if run.failure is None else told(run.failure, {}),
            "memory": planned.limits.memory_bytes,
            "terminals": {name: _is_terminal(name) for name in ("stdout", "stderr")},
        }
        return order, fields

    def _encoded(self, line: Line, place: int) -> str | None:
        result, name = line.finished[place], line.run.plan.steps[place].name
        if result is NOT_BEGUN:  # A step of another lane.
            return None
        return encoded(result, name, self._serializers, self._parcels)

    def _hand_back(
        self,
        fields: ContextFields,
        line: Line,
        text: str | None,
        changed: dict[str, str],
        errors: list[str],
    ) -> StepResult | None:
        """Take over what an attempt hands back; return its result."""
        fields.restore(line.context, changed, line.run.number or 0)
        line.context.errors.extend(errors)
        if text is None:
            return None
        load = ValueReader(self._serializers, self._parcels, 0).load
        (result,) = decode_results([text], load)
        if type(result.data) is not dict:
            result.data = dict(result.data.items())  # The parcels are removed before it is.
        return result


def _modules_of(plan: Plan) -> list[str]:
    """Return the modules of the steps and layers of a plan, and of Handrail, as far as it needs."""
    parts = [innermost(planned.step) for planned in plan.steps]
    parts += [layer.wrapper for planned in plan.steps for layer in planned.layers]
    names = {str(getattr(part, "__module__", type(part).__module__)) for part in parts}
    # What has made this plan will make it again.
    names |= {name for name in sys.modules if name.startswith("handrail")}
    return sorted(
        name
        for name in names
        if not name.startswith(("__main__", "handrail.cli", "handrail.builtin.cli"))
    )


def _is_terminal(name: str) -> bool:
    try:
        return bool(getattr(sys, name).isatty())
    except (AttributeError, ValueError):
        return False


def _refuse_context(step: str, error: ContextError) -> IsolationError:
    """Return the error for a context that cannot be handed to the process of a step."""
    return IsolationError(
        f"step '{step}' is isolated, and its process cannot be given the context: {error.message}",
        ways_out=error.ways_out,
    )
