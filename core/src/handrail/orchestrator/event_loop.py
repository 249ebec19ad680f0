"""The event loop of a blocking run, for those of its steps that are async."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from handrail.calls import Raised, guarded
from handrail.errors import AsyncStepError
from handrail.orchestrator.lanes import is_cancelled
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    import asyncio

    from handrail.engine.state import RunState
    from handrail.orchestrator.interrupts import Interrupts


def running_loop() -> bool:
    """Return whether an asyncio loop runs in this thread, without importing asyncio."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


class EventLoop:
    """A loop that is started at the first async step, and kept for the run."""

    def __init__(self, run: RunState, interrupts: Interrupts) -> None:
        self._run = run
        self._interrupts = interrupts
        self._runner: asyncio.Runner | None = None
        self._thread = threading.get_ident()
        self._runs = [run]

    @classmethod
    def of(cls, run: RunState, interrupts: Interrupts) -> EventLoop:
        """Return the loop of a run: that of the run it is a part of, in the same thread."""
        outer = None if run.parent is None else run.parent.run.loop
        if isinstance(outer, EventLoop) and outer._thread == threading.get_ident():
            outer._runs.append(run)
            run.loop, run.in_thread = outer, outer._run.in_thread
            return outer
        run.loop = made = cls(run, interrupts)
        return made

    def close(self, run: RunState) -> None:
        """End the loop at the end of the run that has made it, if it was started."""
        if self._runner is not None and run is self._run:
            self._runner.close()
            self._runner = None

    def running(self) -> asyncio.AbstractEventLoop:
        """Return the loop, to start tasks in it, which run in `run`.

        Raises:
            AsyncStepError: Another loop runs in this thread.
        """
        if running_loop():
            raise _in_running_loop()
        return self._started().get_loop()

    def run(self, body: Coroutine[Any, Any, Any]) -> None:
        """Run the loop until `body`, code of ours, has ended."""
        self._started().run(body)

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run an awaitable to its end in this loop; return its result, or `Raised`."""
        if running_loop():
            getattr(awaitable, "close", lambda: None)()
            return Raised(_in_running_loop())
        runner, interrupts = self._started(), self._interrupts
        running = _Running(runner.get_loop(), awaitable)
        outer, interrupts.task = interrupts.task, running
        answer = guarded(_run_to_end, runner, running.body())
        interrupts.task = outer
        if running.cancelled and is_cancelled(answer):
            return Raised(interrupts.take() or running.because or KeyboardInterrupt())
        return answer

    def _started(self) -> asyncio.Runner:
        """Return the loop, which is started at the first async step."""
        # Only runs with an async step pay for these.
        import asyncio  # noqa: PLC0415

        from handrail.orchestrator.asynchronous import call_in_thread  # noqa: PLC0415

        if self._runner is None:
            self._runner = asyncio.Runner()
            for run in self._runs:
                run.in_thread = call_in_thread
        return self._runner


def _in_running_loop() -> AsyncStepError:
    return AsyncStepError(
        "an async step cannot run inside a running event loop from execute()",
        ways_out=("await orchestrator.execute_async() instead",),
    )


class _Running:
    """An awaitable that runs in a loop, and can be cancelled by a signal handler.

    Attributes:
        cancelled: Whether it was cancelled.
        because: What a time limit that cancelled it raises.
        heard: Whether its loop has taken note of the last `cancel`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, awaitable: Awaitable[Any]) -> None:
        self.cancelled = False
        self.because: BaseException | None = None
        self.heard = True
        self._loop = loop
        self._awaitable = awaitable
        self._task: asyncio.Task[Any] | None = None

    def cancel(self, because: BaseException | None = None) -> None:
        """Cancel it, or keep it from starting."""
        self.cancelled, self.because = True, because
        if self._task is not None:
            self.heard = False
            self._loop.call_soon_threadsafe(self._cancel, self._task)

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self.heard = True
        task.cancel()

    @calls_user_code
    async def body(self) -> Any:
        """Await it."""
        import asyncio  # noqa: PLC0415 - see `EventLoop`

        self._task = asyncio.current_task()
        if self.cancelled:
            getattr(self._awaitable, "close", lambda: None)()
            raise asyncio.CancelledError
        return await self._awaitable


@calls_user_code
def _run_to_end(runner: asyncio.Runner, body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    # Steps see the context variables that the ones before them have set.
    return runner.run(body, context=contextvars.copy_context())
