"""Blocking work for coroutines, in a thread."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial


async def beside(function: Callable[..., None], *args: object) -> None:
    """Call `function` in a thread; a cancellation waits for its end, and is raised after that."""
    carried = contextvars.copy_context()
    call = partial(carried.run, function, *args)
    future = asyncio.get_running_loop().run_in_executor(None, call)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # noqa: BLE001 - read from the future below
            pass
    failed = None if future.cancelled() else future.exception()
    if cancelled is not None:
        raise cancelled from failed
    future.result()
