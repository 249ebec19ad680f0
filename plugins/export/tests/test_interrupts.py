"""Ctrl-C while rows are converted: the run stops at once, and all is taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.jsonl"])
def test_interrupted(table, here, world, target):
    """Whether the rows go through the engine or not, it counts as an interrupt."""
    name = table(1)
    before = world()
    words = ("run", "export", name, target, "--query", ENDLESS, "--only-packs", "handrail-export")
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in here.glob(f".handrail-*/files/{target}")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "was interrupted, and rolled back" in told
    assert world() == before
