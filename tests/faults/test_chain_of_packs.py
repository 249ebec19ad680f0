"""A chain of upload, export and train is killed in each of them, and finished or undone as one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COLLECTION = Path(__file__).parents[2] / "examples" / "sample_collection"
PROJECT = """
[workflows.dataset]
chain = ["upload", "export", "train"]

[workflows.dataset.inputs]
export.source = "upload.catalogue"
train.data = "export.output_path"

[workflows.dataset.params.upload]
specification = "collection/collection.toml"
metadata_file = "collection/metadata.csv"

[workflows.dataset.params.export]
query = '''SELECT metadata ->> 'circles' AS circles, metadata ->> 'squares' AS squares,
metadata ->> 'largest' AS largest FROM handrail_data_unit ORDER BY name'''

[workflows.dataset.params.train]
target = "largest"
epochs = 8
test_share = 0.25
validation_share = 0.34
"""
RUN = (
    *("run", "dataset", "--upload-source", "collection/files", "--upload-target", "store"),
    *("--export-target", "scenes.csv"),
)
# The line after which the run is killed.
KILLS = {
    "upload": "▸ upload.upload_files",
    "export": "▸ export.save_files",
    "train": "epoch=3 ",
}
WIDE = "HANDRAIL_FAULTS" in os.environ


class Project:
    """A folder with a collection of pictures and the chain, and its journal."""

    def __init__(self, folder: Path, journal: str = "") -> None:
        self.folder = folder
        shutil.copytree(COLLECTION, folder / "collection")
        (folder / "handrail.toml").write_text(PROJECT)
        ours = {"HANDRAIL_JOURNAL": journal} if journal else {}
        kept = {name: text for name, text in os.environ.items() if not name.startswith("HANDRAIL_")}
        self.environment = {**kept, **ours, "PYTHONUNBUFFERED": "1", "HANDRAIL_PROGRESS": "plain"}
        self.before = self.names()

    def names(self) -> set[str]:
        """Return everything but what Handrail keeps for itself."""
        paths = {path.relative_to(self.folder) for path in self.folder.rglob("*")}
        return {path.as_posix() for path in paths if path.parts[0] != ".handrail"}

    def handrail(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            check=False,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def killed_at(self, line: str) -> None:
        """Run the chain, and kill it after this line of its progress."""
        killed = subprocess.Popen(
            [sys.executable, "-m", "handrail", *RUN],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert killed.stdout is not None
        told: list[str] = []
        for each in killed.stdout:
            told.append(each)
            if line in each:
                killed.kill()
                break
        killed.stdout.close()
        assert killed.wait() < 0, "".join(told)

    def finished(self) -> None:
        """Check the results of all three actions."""
        for number, action in ((2, "upload"), (3, "export")):
            self.handrail(action, "verify", str(number))
        assert len((self.folder / "scenes.csv").read_text().splitlines()) == 13
        model: dict[str, Any] = json.loads(self.handrail("models", "show", "scenes", "--json"))
        learnt = {each["name"]: each["kind"] for each in model["report"]["dataset"]["columns"]}
        # The model knows the columns of the export before it.
        assert learnt == {"circles": "number", "squares": "number"}

    def undone(self) -> None:
        """Check that nothing is left of any of them."""
        assert self.names() == self.before
        left = [
            path for path in (self.folder / ".handrail").rglob("*.db") if path.name != "runs.db"
        ]
        assert [path for path in left if "files" not in path.parent.name] == []


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("where", KILLS)
def test_killed_in_any_action_it_is_finished_or_undone_as_one(
    tmp_path: Path, request: pytest.FixtureRequest, where: str, way: str
) -> None:
    if not WIDE and (where, way) not in {
        ("upload", "rollback"),
        ("export", "resume"),
        ("train", "resume"),
    }:
        pytest.skip("HANDRAIL_FAULTS is not set")
    journal = request.getfixturevalue("postgres").database() if where == "export" else ""
    project = Project(tmp_path, journal)
    project.killed_at(KILLS[where])
    project.handrail(way, "1", *(["--yes"] if way == "rollback" else []))
    if way == "resume":
        project.finished()
        shown: dict[str, Any] = json.loads(project.handrail("show", "1", "--json"))
        assert shown["run"]["state"] == "completed"
        project.handrail("rollback", "1", "--yes")
    project.undone()
