"""What the undo of an upload takes beside that upload: `python benchmarks/undoing.py`.

`transfer.py` measures the undo of the first upload, which deletes all files. Here are those of the
later ones, which leave what the first one holds too: after an upload without a change, and after
one for which every hundredth file was new. All commands are processes of their own, measured from
their starts to their ends. Once the undo says nothing (`-q`), and once it shows first what it will
do, which it has to look for. Targets are a folder and radosgw, whose data is in memory.

    pip install -e core -e plugins/storage -e plugins/upload boto3      and Debian's radosgw
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "peers"), str(HERE.parent / "tests" / "support")]

from measuring import run as run_process  # noqa: E402
from servers.radosgw import running_radosgw  # noqa: E402
from transfer import SMALL, Bucket, Folder, Source, Target, environments  # noqa: E402

CASES = ("nothing changed", "1 % new")
LIMIT = 3600.0


@contextlib.contextmanager
def target_in(where: str, home: Path) -> Generator[Target]:
    """Make an empty target."""
    if where == "folder":
        yield Folder(home / "target")
        return
    tempfile.tempdir = "/dev/shm"
    try:
        with running_radosgw() as server:
            yield Bucket(server)
    finally:
        tempfile.tempdir = None


class Uploads:
    """Uploads of one folder to one target, one after the other."""

    def __init__(self, handrail: Path, home: Path, source: Source, target: Target) -> None:
        self._handrail = handrail
        self._home = home
        self._source = source
        self._target = target
        self._last = 0

    def _call(self, *words: str) -> float:
        os.sync()
        command = [str(self._handrail), *words]
        found, said = run_process(command, self._home, LIMIT, self._target.variables)
        if "failed" in found:
            sys.exit(f"{' '.join(words[:2])}: {found['failed']} {said}")
        return float(found["clock"])

    def upload(self) -> float:
        """Upload all; return the seconds."""
        self._last += 1
        places = (str(self._source.folder), self._target.address)
        return self._call("run", "upload", *places, "--collection=bench", "-q")

    def undo(self, *words: str) -> float:
        """Undo the last upload; return the seconds."""
        took = self._call("rollback", str(self._last), "--yes", *words)
        if self._target.count() != self._source.count:
            sys.exit("an undo has left something, or taken too much")
        return took

    @contextlib.contextmanager
    def new_files(self, count: int) -> Generator[None]:
        """Add that many files for a while, each time other ones."""
        folder = self._source.folder / f"new-{self._last}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:06d}.bin").write_bytes(os.urandom(SMALL))
        yield
        shutil.rmtree(folder)


def measured(where: str, count: int, rounds: int, handrail: Path) -> dict[str, list[list[float]]]:
    """Return the seconds of the upload, its undo, and its undo with a preview, of each case."""
    took: dict[str, list[list[float]]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory(prefix="handrail-bench-undo-") as folder:
        home = Path(folder)
        source = Source(home / "source", count)
        with target_in(where, home) as target:
            uploads = Uploads(handrail, home, source, target)
            uploads.upload()
            uploads.upload()  # Files that had changed just before the first are read once more.
            for _ in range(rounds):
                for case, new in zip(CASES, (0, count // 100), strict=True):
                    with uploads.new_files(new):
                        forward, undo = uploads.upload(), uploads.undo("-q")
                    with uploads.new_files(new):
                        uploads.upload()
                        took[case].append([forward, undo, uploads.undo()])
    return took


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=50_000, help="in a folder (50000)")
    parser.add_argument("--objects", type=int, default=5_000, help="at radosgw (5000)")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    pythons, _ = environments(HERE.parent / "build" / "bench", {"handrail"})
    handrail = pythons["handrail"].with_name("handrail")
    print("| | upload s | undo s | x | undo with its preview s | x |\n|---|---|---|---|---|---|")
    for where, count in (("folder", given.files), ("radosgw", given.objects)):
        for case, times in measured(where, count, given.rounds, handrail).items():
            forward, undo, shown = (statistics.median(each) for each in zip(*times, strict=True))
            print(
                f"| {count:,} files, {where}, {case} | {forward:.2f} | {undo:.2f} "
                f"| {undo / forward:.2f} | {shown:.2f} | {shown / forward:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
