"""Passes the events of a run on to its observers."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from handrail.context import RunInfo, say
from handrail.errors import describe
from handrail.events import Event, InterruptReceived, StopObserving
from handrail.frozen import replace
from handrail.journal.this_process import host_name, user_name
from handrail.redact import KNOWN, mask_values
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.engine.state import RunState


class Dispatcher:
    """Calls observers with one event after the other; an observer that raises is dropped.

    Args:
        observers: The observers; no event that they get has a known secret in its texts.
        context: The context of the run, which may have secrets, too.
    """

    def __init__(self, observers: Iterable[Callable[[Event], object]], context: object) -> None:
        self._observers = tuple(observers)
        self._mask = KNOWN.within(context)
        self._waiting: deque[Event] = deque()
        self._lock = threading.RLock()
        self._busy = False

    def is_heard(self) -> bool:
        """Return whether any observer is left."""
        return bool(self._observers)

    def __call__(self, event: Event) -> None:
        """Pass an event on, after all earlier ones."""
        if event.__class__ is InterruptReceived:
            self._hear(event)
            return
        with self._lock:
            if self._busy or self._waiting:
                # An observer logged, or a signal interrupted it: the new event has to wait.
                self._waiting.append(event)
            if self._busy:
                return
            self._busy = True
            try:
                if not self._waiting:
                    self._pass_on(event)
                while self._waiting:
                    self._pass_on(self._waiting.popleft())
            finally:
                self._busy = False

    def _hear(self, event: Event) -> None:
        """Pass on an event of a signal handler, unless another thread is at it: that one will.

        A handler must not wait for it: it may wait for what the signal came upon.
        """
        self._waiting.append(event)
        if not self._lock.acquire(blocking=False):
            return
        was_busy, self._busy = self._busy, True
        try:
            while self._waiting and not was_busy:
                self._pass_on(self._waiting.popleft())
        finally:
            self._busy = was_busy
            self._lock.release()

    @calls_user_code
    def _pass_on(self, event: Event) -> None:
        for name in event.texts:
            value: object = getattr(event, name)
            if value and (masked := mask_values(value, self._mask)) is not value:
                event = replace(event, **{name: masked})
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - telemetry must not fail a run
                self._observers = tuple(each for each in self._observers if each is not observer)
                if isinstance(error, StopObserving):
                    continue
                name = getattr(observer, "__qualname__", repr(observer))
                raised = f"{type(error).__name__}: {describe(error)}"
                say(f"observer {name} was dropped, it raised {raised}")


def run_info(
    run: RunState,
    *,
    action: str | None = None,
    project: str | None = None,
    parent: int | None = None,
) -> RunInfo:
    """Return what names `run` to others.

    Args:
        run: The run.
        action: The recorded name of its action; by default, that of the plan.
        project: Its recorded project; by default, that of the working folder.
        parent: The number of the run that it is a part of.
    """
    from handrail.packs.configuration import project_at  # noqa: PLC0415

    return RunInfo(
        uid=run.run_id,
        action=run.plan.action if action is None else action,
        host=host_name(),
        user=user_name(),
        project=project_at(os.getcwd()) if project is None else project,
        number=run.number,
        journal=run.journal,
        parent=parent,
    )
