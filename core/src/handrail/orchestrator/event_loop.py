"""The event loop of a blocking run, for those of its steps that are async."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import Raised
from handrail.engine.guard import guarded
from handrail.engine.user_code import calls_user_code
from handrail.errors import AsyncStepError

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

    def close(self) -> None:
        """End the loop, if it was started."""
        if self._runner is not None:
            self._runner.close()

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run an awaitable to its end in this loop; return what it returned, or `Raised`."""
        if running_loop():
            getattr(awaitable, "close", lambda: None)()
            return Raised(
                AsyncStepError(
                    "an async step cannot run inside a running event loop from execute()",
                    ways_out=("await orchestrator.execute_async() instead",),
                )
            )
        import asyncio  # noqa: PLC0415 - only runs with an async step pay for it

        # Imports asyncio, too.
        from handrail.orchestrator.asynchronous import call_in_thread  # noqa: PLC0415

        if self._runner is None:
            self._runner = asyncio.Runner()
            self._run.in_thread = call_in_thread
        loop = self._runner.get_loop()
        interrupts = self._interrupts
        task: asyncio.Task[Any] | None = None
        cancelled = False

        def cancel() -> None:
            nonlocal cancelled
            cancelled = True
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        @calls_user_code
        async def body() -> Any:
            nonlocal task
            task = asyncio.current_task()
            if cancelled:
                getattr(awaitable, "close", lambda: None)()
                raise asyncio.CancelledError
            return await awaitable

        outer, interrupts.cancel_task = interrupts.cancel_task, cancel
        answer = guarded(_run_in_loop, self._runner, body())
        interrupts.cancel_task = outer
        if not cancelled or not isinstance(answer, Raised):
            return answer
        if isinstance(answer.error, asyncio.CancelledError):
            return Raised(interrupts.take() or answer.error)
        return answer


@calls_user_code
def _run_in_loop(runner: asyncio.Runner, body: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    # Steps see the context variables that the ones before them have set.
    return runner.run(body, context=contextvars.copy_context())
