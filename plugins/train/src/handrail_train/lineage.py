"""Where a version comes from: source, code, run and machine; other for each training."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from typing import Any

from handrail_train.context import TrainContext

SCHEMA = 1
_PATIENCE = 10  # Seconds for an answer of git, which may have a large folder to look at.


def lineage_of(context: TrainContext, seconds: float | None = None) -> dict[str, Any]:
    """Return where the model of a training comes from, in JSON types.

    Args:
        context: The context.
        seconds: How long this process has trained it.

    Returns:
        `source`, with its `address` and the SHA-256 of its rows; `code`, the `commit` of git that
        the working folder has and whether there are changes, or None; `run`, with `uid`, `number`,
        `action`, `project` and `user`; `machine`, which has trained; and `seconds`.
    """
    info, options = context.run_info, context.options
    run: dict[str, Any] = {"uid": context.run, "number": context.run_number}
    if info is not None:
        run |= {"action": info.action, "project": info.project, "user": info.user}
    return {
        "schema": SCHEMA,
        "source": {
            "address": options.source().shown,
            "table": options.table,
            "query": options.query,
            "sha256": context.dataset["fingerprint"],
        },
        "code": code_of(os.getcwd()),
        "run": run,
        "machine": {
            "host": platform.node() if info is None else info.host,
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "seconds": None if seconds is None else round(seconds, 3),
    }


def code_of(folder: str) -> dict[str, Any] | None:
    """Return the commit of git in a folder, and whether files differ from it; None without one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changed is None else bool(changed)}


def _git(folder: str, *words: str) -> str | None:
    command: Sequence[str] = ("git", "--no-optional-locks", *words)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):  # There is no git, or it takes too long.
        return None
    return None if done.returncode else done.stdout.strip()
