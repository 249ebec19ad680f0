"""Ctrl-C at random instants of runs of all kinds: each ends, and there is all or nothing.

A few of each kind; `HANDRAIL_STORM=600 pytest -m slow -k interrupts -s` makes them thousands, and
tells how many there were. Where one hangs, the stacks of all its threads are in the error.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

FLOWS = Path(__file__).with_name("interrupted.py")
PATIENCE = 60.0  # Seconds for an undo; more is a hang.
AGAIN = 0.6  # Seconds after which a signal counts as another one.
TIMES = min(int(os.environ.get("HANDRAIL_STORM", "4")), 1000)
# It was done before, was interrupted, or had not begun or was over already.
ENDINGS = {0, 130, -signal.SIGINT}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


class Storm:
    """A folder in which one command is interrupted again and again."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.source, self.work, self.kept = folder / "source", folder / "work", folder / "kept"
        self.source.mkdir()
        for number in range(100):
            (self.source / f"{number}.bin").write_bytes(b"%d" % number)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")}
        # A hang is ended by SIGABRT, and tells then where its threads are.
        self.environment = {**kept, "PYTHONFAULTHANDLER": "1"}
        self.chance = random.Random(f"{kind} {os.environ.get('HANDRAIL_STORM')}")

    def words(self, kind: str) -> list[str]:
        if kind == "undo":
            return ["rollback", "1", "--yes"]
        if kind == "upload":
            return ["run", "upload", str(self.source), "store", "--catalogue", "rows.db"]
        return ["run", f"flows.py:{kind}"]

    def start(self, kind: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "handrail", *self.words(kind)],
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def prepare(self) -> None:
        """Put everything back to where it was before the command."""
        shutil.rmtree(self.work, ignore_errors=True)
        if self.kind == "undo" and self.kept.exists():
            shutil.copytree(self.kept, self.work)
            return
        self.work.mkdir()
        shutil.copyfile(FLOWS, self.work / "flows.py")
        if self.kind == "undo":
            assert self.end(self.start("upload")) == (0, self.said)
            shutil.copytree(self.work, self.kept)

    said = ""

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait until it ends, and return its code and what it said; fail where it hangs."""
        try:
            self.said, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            said, _ = process.communicate()
            pytest.fail(f"it hangs: {said[-20_000:]}")
        return process.returncode, self.said

    def took(self) -> float:
        """Run it without an interrupt; return how long it took."""
        self.prepare()
        began = time.monotonic()
        assert self.end(self.start(self.kind)) == (0, self.said), self.said
        return time.monotonic() - began

    def interrupt(self, after: float, *, twice: bool, all_of_it: bool) -> int:
        """Interrupt it; return the number of signals that it got before it ended."""
        process = self.start(self.kind)
        number, sent = os.pidfd_open(process.pid), 0
        send = os.killpg if all_of_it else os.kill
        for wait in (after, AGAIN) if twice else (after,):
            if select.select([number], [], [], wait)[0]:
                break
            send(process.pid, signal.SIGINT)
            sent += 1
        os.close(number)
        code, said = self.end(process)
        assert code in ENDINGS, said
        self.check(code, said, twice=twice)
        return sent

    def check(self, code: int, said: str, *, twice: bool) -> None:
        """Check that there is nothing left, unless it was told so."""
        kept = "completed" in said or "nothing was undone" in said
        if code == 0 or twice or self.kind == "undo" or kept:
            return
        made = [*self.work.glob("*.made"), *self.work.glob("store/*.bin")]
        assert not made, said


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open")
@pytest.mark.parametrize("kind", ["threads", "group", "items", "upload", "undo"])
def test_each_interrupt_ends_the_command(tmp_path: Path, kind: str) -> None:
    """One for the process or for all of its group; sometimes a second one, in the undo."""
    storm = Storm(tmp_path, kind)
    took = min(storm.took() for _ in range(2))  # The first one is slower: nothing is in memory yet.
    counts: Counter[str] = Counter()
    for _ in range(TIMES):
        storm.prepare()
        chance = storm.chance
        twice, all_of_it = chance.random() < 0.25, chance.random() < 0.3
        sent = storm.interrupt(chance.uniform(0.1, 1) * took, twice=twice, all_of_it=all_of_it)
        counts.update(commands=1, interrupts=sent)
    print(f"{kind}: {counts['interrupts']} interrupts of {counts['commands']} commands")
    assert counts["interrupts"] > TIMES // 3, "they came too late"
