"""A workflow of twenty steps, run in processes that may be killed, and checks of its effects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handrail.journal.opening import open_journal
from handrail.journal.protocol import Journal
from handrail.journal.records import RunRow
from killing.asking import SUPPORT, Ask
from killing.effects import Files, Objects, Place, Rows

KILLED = -signal.SIGKILL
FLOW = "twenty.py"
CLOSED = 2  # Exit code if nothing is left to do.


@dataclass(kw_only=True)
class Trial:
    """The working folder, the rows and the objects of one run.

    Attributes:
        folder: The working folder, initially empty.
        rows: The database of the rows: a path, or the URL of an empty schema.
        bucket: The bucket of the objects.
        worker: Runs the command line in a new process.
        journal: The URL of the journal, if it is not the default.
        overwrite: Whether the run replaces existing items; it is sealed at its end then.
    """

    folder: Path
    rows: str
    bucket: str
    worker: Ask
    journal: str | None = None
    overwrite: bool = True
    prefix: str = field(default_factory=lambda: f"{uuid.uuid4().hex}/")

    def __post_init__(self) -> None:
        source = Path(__file__).parents[2] / "faults" / FLOW
        (self.folder / FLOW).symlink_to(source)
        (self.folder / "world").mkdir()
        (self.folder / "world" / "theirs").write_text("their file")
        Rows(self.rows).prepare()
        objects = Objects(self.bucket, self.prefix)
        objects.client.put_object(
            Bucket=self.bucket,
            Key=f"{self.prefix}theirs",
            Body=b"their object",
            Metadata={"owner": "them"},
        )
        self.before = self.world()

    # Actions

    def run(self, *, fail: str = "", **kill: Any) -> dict[str, Any]:
        """Run the workflow, killed `at` a write (`before` or `after` it), or `after` some seconds.

        With `stop` it is stopped instead of killed; with `stuck` that step cannot be undone.
        """
        return self._do(*self.words(fail), **kill)

    def words(self, fail: str = "") -> list[str]:
        """Return the command that runs the workflow."""
        options = {"rows": self.rows, "bucket": self.bucket, "prefix": self.prefix, "fail": fail}
        given = [part for key, value in options.items() for part in (f"--{key}", value)]
        return ["run", f"{FLOW}:Twenty", *given, *([] if self.overwrite else ["--no-overwrite"])]

    def go_on(self, way: str, *options: str, **kill: Any) -> dict[str, Any]:
        """Resume or roll back the run; `way` is `resume` or `rollback`."""
        sure = ["--yes"] if way == "rollback" else []
        return self._do(way, "1", *sure, *options, **kill)

    def place(self, kind: str) -> Place:
        """Return the place of effects of a kind: `file`, `row` or `object`."""
        if kind == "file":
            return Files(self.folder / "world")
        return Rows(self.rows) if kind == "row" else Objects(self.bucket, self.prefix)

    def told(self, *words: str, stuck: str = "", **kill: Any) -> dict[str, Any]:
        """Return the command for the worker."""
        journal = [] if self.journal is None else ["--journal", self.journal]
        environment = {"TWENTY_STUCK": stuck}
        given = [words[0], *journal, "-q", *words[1:]]
        return {"words": given, "folder": str(self.folder), "environment": environment, **kill}

    def _do(self, *words: str, alone: bool = False, **kill: Any) -> dict[str, Any]:
        told = self.told(*words, **kill)
        if not alone:
            answer = self.worker(told)
            self.until_given_up()
            return answer
        path = os.pathsep.join((str(SUPPORT), os.environ.get("PYTHONPATH", "")))
        done = subprocess.run(
            [sys.executable, "-m", "handrail", *told["words"]],
            cwd=self.folder,
            env={**os.environ, **told["environment"], "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return {"code": done.returncode, "said": done.stdout + done.stderr}

    # State

    def world(self) -> dict[str, Any]:
        """Return all effects, with the id of the run replaced by RUN."""
        row = self.row()
        files = {
            path.name: (path.read_text(), path.stat().st_ino if path.name == "theirs" else 0)
            for path in (self.folder / "world").iterdir()
        }
        found = {
            "files": files,
            "rows": Rows(self.rows).rows(),
            "objects": Objects(self.bucket, self.prefix).objects(),
        }
        text = json.dumps(found, sort_keys=True)
        world: dict[str, Any] = json.loads(text.replace(row.uid, "RUN") if row else text)
        return world

    def until_given_up(self) -> None:
        """Wait until the journal's server has detected that the owner is gone."""
        if self.journal is None:
            return
        journal: Journal = open_journal(self.journal, default="", find=_find)
        try:
            deadline = time.monotonic() + 60
            while journal.runs() and journal.holder(1) is not None:
                assert time.monotonic() < deadline, "the run is still held"
                time.sleep(0.005)
        finally:
            journal.close()

    def complete(self, reference: dict[str, Any]) -> None:
        """Check that the effects are those of a run that was not killed."""
        world = self.world()
        # The inode would show that a foreign file was restored; here it was replaced.
        files = [
            {name: text for name, (text, _) in each["files"].items()} for each in (world, reference)
        ]
        assert files[0] == files[1]
        assert {**world, "files": None} == {**reference, "files": None}

    def row(self) -> RunRow | None:
        """Return the recorded run, or None."""
        path = self.folder / ".handrail" / "runs.db"
        if self.journal is None and not path.exists():
            return None
        journal: Journal = open_journal(self.journal, default=path, find=_find)
        try:
            return next(iter(journal.runs(limit=1)), None)
        finally:
            journal.close()

    def closed(self) -> list[str]:
        """Return the outcomes that the `always_run` step saw, one for each time it ran."""
        path = self.folder / "closed"
        return path.read_text().split() if path.exists() else []

    # Checks

    def ends(
        self, way: str, reference: dict[str, Any], *, fails: bool = False, alone: bool = False
    ) -> None:
        """Finish or undo the killed run in a new process, and check the effects.

        Args:
            way: `resume` or `rollback`.
            reference: The effects of a run that was not killed.
            fails: Whether a step fails, so that finishing the run ends in an undo too.
            alone: Whether to use a new Python instead of a forked process.
        """
        row = self.row()
        if row is None:
            assert self.go_on(way, alone=alone)["code"] == 2
            assert self.world() == self.before
            return
        answer = self.go_on(way, alone=alone)
        assert answer["code"] == self._code(way, row, fails), answer["said"]
        after = self.row()
        assert after is not None
        if way == "rollback" and row.sealed:
            assert after == row, "nothing was touched"
            if row.outcome is None:
                self.ends("resume", reference)
        elif fails or way == "rollback" or row.direction == "undo":
            assert after.outcome == "rolled_back"
            assert self.world() == self.before
            if row.outcome is None:
                assert self.closed()[-1] == "rolled_back"
        else:
            assert after.outcome == "completed"
            self.complete(reference)
            assert self.closed()[-1] == "completed"

    @staticmethod
    def _code(way: str, row: RunRow, fails: bool) -> int:
        """Return the expected exit code."""
        if way == "rollback":
            return 5 if row.sealed else 0
        if row.outcome is not None:
            return CLOSED if row.outcome == "rolled_back" else 0
        return int(fails or row.direction == "undo")


def _find(_scheme: str) -> Any:
    from handrail_postgres import open_journal

    return open_journal
