"""Sends commands to a worker process in lines of JSON; see `forks`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).parents[1]

Ask = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def asking(script: Path, environment: Mapping[str, str] | None = None) -> Iterator[Ask]:
    """Run a worker until the block ends; yield a function that sends it a command.

    Args:
        script: The file of the worker.
        environment: Environment variables, in addition to ours.
    """
    path = os.pathsep.join(filter(None, (str(SUPPORT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {}), "PYTHONPATH": path},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(told: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(told), file=process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    try:
        yield ask
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()
