"""Runs the command line in processes of their own, some of which kill themselves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
KILLED = -signal.SIGKILL


class Folder:
    """A working folder with the workflows of `flows.py`.

    Args:
        path: The folder.
        environ: What every process has in its environment.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = {"HANDRAIL_HANDRAIL_OTEL_INTERVAL": "0.05", **environ}
        shutil.copy(HERE / "flows.py", path / "flows.py")

    def call(
        self, *words: str, dies_at: str = "", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call `handrail`; it dies in the step, or in the undo, that is named."""
        (self.path / "die-at").write_text(dies_at)
        done = subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            cwd=self.path,
            env={**os.environ, **self.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode == KILLED) == bool(dies_at), done.stderr
        return done
