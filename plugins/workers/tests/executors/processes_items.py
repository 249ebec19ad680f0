"""Functions for items, for the tests of processes; workers import them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from handrail.errors import ExecutorLostError
from handrail_workers import ItemContext


def describes(_: object, __: ItemContext) -> dict[str, Any]:
    return {
        "main": threading.current_thread() is threading.main_thread(),
        "leads": os.getpgid(0) == os.getpid(),
        "input": sys.stdin.read(),
        "terminal": sys.stdout.isatty(),
    }


def prints(item: str, item_context: ItemContext) -> None:
    print(item)
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    item_context.log("logged", {"a": 1})
    print("no end", end="")


def dies(how: int, _: ItemContext) -> None:
    if how > 0:
        os._exit(how)
    if how < 0:
        os.kill(os.getpid(), -how)


def loses(_: object, __: ItemContext) -> None:
    raise ExecutorLostError("no one knows what is recorded")


def leaves(_: object, __: ItemContext) -> int:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


def tidies(folder: str, _: ItemContext) -> None:
    try:
        stays(folder, _)
    finally:
        Path(folder, "tidied").touch()


def stays(folder: str, _: ItemContext) -> None:
    Path(folder, f"worker-{os.getpid()}-{os.getppid()}").touch()
    while True:
        time.sleep(60)
