"""Functions for items that can be counted, failed and undone, in this process."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any


class World:
    """What functions for items have made, and what they do wrong.

    Attributes:
        made: How often each thing is there; more than once is doubled.
        calls: How often the function was called with each item.
        undone: The items of each call of the rollback, in order.
        fails: Items that fail after they made something.
        stuck: Items whose rollback fails.
        breaks: Called in the middle of each item.
        waiting: Set once an item waits for its end.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.made: Counter[int] = Counter()
        self.calls: Counter[int] = Counter()
        self.undone: list[int] = []
        self.data: list[Mapping[str, Any]] = []
        self.shared: list[Any] = []
        self.fails: set[int] = set()
        self.stuck: set[int] = set()
        self.breaks: Callable[[int], None] = lambda item: None
        self.waiting = threading.Event()

    @property
    def doubled(self) -> list[int]:
        return [item for item, count in self.made.items() if count > 1]


WORLD = World()


def make(item: int, context: Any) -> Any:
    """Make something that an item stands for."""
    WORLD.calls[item] += 1
    context.record_rollback("made", item)
    WORLD.shared.append(context.shared)
    WORLD.made[item] += 1
    WORLD.breaks(item)
    if item in WORLD.fails:
        raise ValueError(f"no such item: {item}")
    return {"twice": item * 2}


def remove(item: int, context: Any, data: Mapping[str, Any]) -> None:
    """Undo that, by what was recorded only, and perhaps twice."""
    WORLD.undone.append(item)
    WORLD.data.append(dict(data))
    if item in WORLD.stuck:
        raise OSError("stuck")
    for each in data.get("made", []):
        WORLD.made.pop(each, None)


def plain(item: int, context: Any) -> None:
    """Make nothing."""
    WORLD.calls[item] += 1


async def make_async(item: int, context: Any) -> Any:
    """Like `make`, in a coroutine."""
    return make(item, context)


async def remove_async(item: int, context: Any, data: Mapping[str, Any]) -> None:
    """Like `remove`, in a coroutine."""
    remove(item, context, data)


def odd(item: int, context: Any) -> Any:
    """Return something that is no JSON for one item."""
    return {1} if item == 3 else item


def secret(item: int, context: Any) -> Any:
    """Return and record what a run must not store."""
    context.record_rollback("made", "hunter2hunter2")
    if item:
        raise ValueError("the password is hunter2hunter2")
    return "hunter2hunter2"


def wait(item: int, context: Any) -> None:
    """Make something, then wait until the end is asked for."""
    make(item, context)
    WORLD.waiting.set()
    deadline = time.monotonic() + 60
    while not context.cancelled:
        assert time.monotonic() < deadline, "nobody asked for the end"
        time.sleep(0.005)
