"""What a step has made is on the disk before the journal says that the step is done.

The system calls tell, in their order: those of the process, and what SQLite does in it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CALLS = "syncfs,fsync,fdatasync,link,linkat,rename,renameat,renameat2,pwrite64,write,unlink,stat"

# Marks each write to the journal that says that a step is done, by looking at what is not there.
PROGRAM = """
import contextlib, json, os, sys
from handrail.journal.records import AttemptChange
from handrail.sqlite import SqliteJournal
from handrail_upload import DefaultUploadAction

class Marking(SqliteJournal):
    def open_run(self, new, changes=()):
        owned = super().open_run(new, changes)
        write = owned.write
        def marked(changes):
            done = [c.step for c in changes if isinstance(c, AttemptChange) and c.state == "done"]
            for when in ("before", "after"):
                for step in done:
                    with contextlib.suppress(OSError):
                        os.unlink(f"/mark/{when}/{step}")
                if when == "before":
                    write(changes)
        owned.write = marked
        return owned

journal = Marking(sys.argv[1])
DefaultUploadAction(json.loads(sys.argv[2]), packs=()).run(journal=journal)
journal.close()
"""


def traced(scene: Any, **options: Any) -> list[str]:
    """Upload, and return the system calls that write to a disk, and the marks, in their order."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not here")
    told = scene.folder.parent / "calls"
    params = {**scene.params(**options), "source": str(scene.source)}
    journal = scene.folder / ".handrail" / "runs.db"
    command = [strace, "-f", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-o", str(told)]
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, str(journal), json.dumps(params)],
        cwd=scene.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip("processes cannot be traced here")
    assert done.returncode == 0, done.stderr
    return told.read_text().splitlines()


def place(calls: list[str], pattern: str, *, last: bool = False) -> int:
    """Return where the first call like that is, or the last one."""
    found = [number for number, line in enumerate(calls) if re.search(pattern, line)]
    assert found, pattern
    return found[-1 if last else 0]


@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
@pytest.mark.parametrize("if_exists", ["same", "overwrite"])
def test_effects_are_on_the_disk_before_their_step_is_done(
    scene: Any, fill: Any, if_exists: str
) -> None:
    fill(scene, 5, replacing=if_exists == "overwrite")
    calls = traced(scene, if_exists=if_exists)
    target = re.escape(str(Path(scene.place.path)))
    catalogue = re.escape(str(scene.catalogue.path))

    sent = place(calls, "/mark/before/upload_files")
    named = place(calls[:sent], rf"\b(link|rename)\w*\(.*{target}/.*(txt|bin)", last=True)
    flushed = place(calls[:sent], rf"syncfs\(\d+<{target}|fsync\(\d+<{target}", last=True)
    assert named < flushed < sent

    published = place(calls, "/mark/before/generate_data_units")
    written = place(calls[:published], rf"pwrite64\(\d+<{catalogue}>", last=True)
    synced = place(calls[:published], rf"(fsync|fdatasync)\(\d+<{catalogue}>", last=True)
    assert written < synced < published

    # The journal itself: on the disk before anything else goes on.
    for step in ("upload_files", "generate_data_units"):
        before = place(calls, f"/mark/before/{step}")
        after = place(calls, f"/mark/after/{step}")
        assert place(calls[before:after], r"(fsync|fdatasync)\(\d+<.*runs\.db-wal>") > 0
