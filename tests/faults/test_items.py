"""Many items, and kill -9 of their workers and of their driver from inside of chunks.

Each item makes a file that must not be there, so one that was done twice fails the run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

WIDE = "HANDRAIL_FAULTS" in os.environ
COUNT, CHUNK = (100_000, 100) if WIDE else (2_000, 20)
WORKERS, DRIVERS = (16, 6) if WIDE else (3, 1)
SLOTS = 4
HELD = 3  # Exit code of a run that somebody still drives.
FORWARD = ("begun", "noted", "made")
BACK = ("undoing", "undone")
# A shell hands its number on, and becomes the driver.
DRIVEN = 'DRIVER=$$ exec "$@"'


class Scene:
    """A folder with the files of the items, and with who is to be killed where."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        for name in ("world", "due", "struck"):
            (folder / name).mkdir()
        (folder / "many.py").symlink_to(Path(__file__).with_name("many.py"))
        self.kills = 0

    def plan(
        self, points: tuple[str, ...], *, workers: int, drivers: int, chunks: range | None = None
    ) -> None:
        """Kill so many workers and drivers, each in another one of these chunks."""
        among = range(COUNT // CHUNK) if chunks is None else chunks
        for place, chunk in enumerate(self.chance.sample(among, workers + drivers)):
            point = self.chance.choice(points)
            item = chunk * CHUNK + self.chance.randrange(0, CHUNK, 10)  # One that records.
            whom = "worker" if place < workers else "driver"
            (self.folder / "due" / f"{point}-{item}").write_text(whom)

    def call(self, *words: str) -> int:
        """Call `handrail`; return its exit code, or how it was killed."""
        command = [sys.executable, "-m", "handrail", *words]
        ended = subprocess.run(
            ["sh", "-c", DRIVEN, "sh", *command],
            cwd=self.folder,
            env={**os.environ, "HANDRAIL_EXECUTOR": f"processes:{SLOTS}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        self.said = ended.stdout + ended.stderr
        return ended.returncode

    def until_over(self, *words: str) -> None:
        """Call it again after each kill of the driver, once nobody drives the run any more."""
        deadline = time.monotonic() + 60
        while (code := self.call(*words)) != 0:
            if code == -signal.SIGKILL:
                self.kills += 1
                deadline = time.monotonic() + 60
            else:
                assert code == HELD, self.said
                assert time.monotonic() < deadline, self.said

    def first(self) -> None:
        """Begin the run; its driver is killed."""
        words = ("--count", str(COUNT), "--chunk", str(CHUNK))
        assert self.call("run", "many.py:many", *words) == -signal.SIGKILL, self.said
        self.kills += 1

    def there(self) -> list[int]:
        return sorted(int(path.name) for path in (self.folder / "world").iterdir())

    def left(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "due").iterdir())

    def forget(self) -> None:
        """Plan no more of the kills that are due: a slow worker may not have come to its own."""
        for path in (self.folder / "due").iterdir():
            path.unlink()


@pytest.fixture
def scene(quick: Path, request: pytest.FixtureRequest) -> Scene:
    return Scene(Path(tempfile.mkdtemp(dir=quick)), seed=len(request.node.name))


def test_each_item_is_done_once_whoever_is_killed(scene: Scene) -> None:
    scene.plan(FORWARD, workers=WORKERS, drivers=DRIVERS)
    scene.first()
    scene.until_over("resume", "1")
    assert (scene.left(), scene.kills) == ([], DRIVERS)
    assert scene.there() == list(range(COUNT))


def test_nothing_is_left_of_what_is_undone_whoever_is_killed(scene: Scene) -> None:
    half, most = COUNT // CHUNK // 2, COUNT // CHUNK * 9 // 10
    scene.plan(FORWARD, workers=WORKERS, drivers=0, chunks=range(most))
    scene.plan(FORWARD, workers=0, drivers=1, chunks=range(most, COUNT // CHUNK))
    scene.first()
    scene.forget()
    scene.plan(BACK, workers=WORKERS // 2, drivers=DRIVERS, chunks=range(half))
    scene.until_over("rollback", "1", "--yes")
    assert (scene.left(), scene.kills) == ([], 1 + DRIVERS)
    assert scene.there() == []
