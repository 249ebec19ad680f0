"""The functions for items with which `ExecutorContract` tries an executor; workers import them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handrail_workers import ItemContext

_PAUSE = 0.01
_CHILD = "import time\nwhile True: time.sleep(60)"


def tell(shared: Mapping[str, Any], name: str, *words: object) -> None:
    """Append a line of JSON to a file of the folder that all see, in one write."""
    path = os.path.join(shared["folder"], name)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(words).encode() + b"\n")
    finally:
        os.close(file)


def told(folder: Path, name: str) -> list[list[Any]]:
    """Return the lines that were told so far, without one that is not complete."""
    path = folder / name
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def doubles(item: int, item_context: ItemContext) -> int:
    """Tell that the item was tried, and return twice its value; negative ones fail."""
    tell(item_context.shared, "tried", item_context.position, item_context.attempt)
    if item < 0:
        raise ValueError(f"{item} is negative")
    return 2 * item


async def doubles_later(item: int, item_context: ItemContext) -> int:
    """Do the same in a coroutine."""
    return doubles(item, item_context)


def records(item: str, item_context: ItemContext) -> None:
    """Record the item, tell that it is recorded, and wait."""
    item_context.record_rollback("made", item)
    tell(item_context.shared, "recorded", item_context.position)
    waits(item, item_context)


def waits(item: object, item_context: ItemContext) -> object:
    """Tell that the item begins, and wait until there is a file `go`, or until it is cancelled."""
    shared = item_context.shared
    tell(shared, "began", item_context.position, os.getpid())
    while not item_context.cancelled and not os.path.exists(os.path.join(shared["folder"], "go")):
        time.sleep(_PAUSE)
    return item


def clings(item: object, item_context: ItemContext) -> None:
    """Start a process, tell of both, and go on for ever, whatever it is asked.

    In a thread of the driver it ends when it is cancelled, since nothing else ends it.
    """
    child = 0
    here = os.getpid() == item_context.shared["driver"]
    if not here:
        child = subprocess.Popen([sys.executable, "-c", _CHILD]).pid
    tell(item_context.shared, "began", item_context.position, os.getpid(), child)
    while not (here and item_context.cancelled):
        try:
            while not (here and item_context.cancelled):
                time.sleep(_PAUSE)
        except BaseException:  # noqa: BLE001 - for ever
            continue


def hurts(item: str, item_context: ItemContext) -> str:
    """Send a signal, which is the item, to the process of the worker; then tell that it lives."""
    if item in ("SIGKILL", "SIGSTOP") and os.getpid() != item_context.shared["driver"]:
        item_context.record_rollback("made", item)
        tell(item_context.shared, "began", item_context.position, os.getpid(), 0)
        os.kill(os.getpid(), signal.Signals[item])
        tell(item_context.shared, "late", item_context.position)
        item_context.record_rollback("late", item)
    return item


def undoes(item: object, item_context: ItemContext, data: Mapping[str, Sequence[Any]]) -> None:
    """Tell what is undone; the item `stuck` cannot be."""
    tell(item_context.shared, "undone", item_context.position, item, data)
    if item == "stuck":
        raise OSError("it is still open")
