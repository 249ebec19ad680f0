"""A first workflow: collect the readings of some sensors into a store.

    handrail run flows.py:collect readings
    handrail run flows.py:collect broken_readings      # watch it fail, and walk back
    python flows.py readings --dry-run

The store has three parts. `files/` holds each file once, named by its content. `catalogue.db`
holds the readings themselves. `runs/<run>/` holds a second name (a hard link) for each file that
this run made: it is how the undo knows which files are its own.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from handrail import Argument, BaseStep, BaseStepContext, StepResult, action, step

COLUMNS = ["sensor", "time", "celsius"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS files (digest TEXT PRIMARY KEY, name TEXT, run TEXT);
CREATE TABLE IF NOT EXISTS readings (
    sensor TEXT, time TEXT, celsius REAL, digest TEXT, PRIMARY KEY (sensor, time)
);
"""


class CollectParams(BaseModel):
    source: Annotated[Path, Argument()] = Field(description="Folder with the CSV files")
    store: Path = Field(Path("build/sensor-store"), description="Folder to collect them in")


@dataclass(kw_only=True)
class CollectContext(BaseStepContext):
    source: Path
    store: Path
    digests: dict[str, str] = field(default_factory=dict)  # SHA-256 by file name


def rows_of(path: Path) -> list[tuple[str, str, float]]:
    """Return the readings of one file; a ValueError names the line that is wrong."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != COLUMNS:
            raise ValueError(f"{path.name}: the columns are {reader.fieldnames}, not {COLUMNS}")
        rows = []
        for number, row in enumerate(reader, 2):
            try:
                datetime.fromisoformat(row["time"])
                rows.append((row["sensor"], row["time"], float(row["celsius"])))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from error
    return rows


@step(weight=0.1, effects=False)
def find_readings(context: CollectContext) -> dict[str, Any]:
    """Find the files and work out what each is called in the store."""
    for path in sorted(context.source.glob("*.csv")):
        context.digests[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    if not context.digests:
        raise FileNotFoundError(f"no CSV files in {context.source}")
    return {"summary": f"{len(context.digests)} files in {context.source}"}


@step(weight=0.2, effects=False)
def check_readings(context: CollectContext) -> dict[str, Any]:
    """Read every file once, so that a malformed one stops the run before anything is touched."""
    count = sum(len(rows_of(context.source / name)) for name in context.digests)
    return {"summary": f"{count} readings are well formed"}


class StoreFiles(BaseStep[CollectContext]):
    """Copy the files into the store, each under the SHA-256 of its content."""

    name = "store_files"
    progress_weight = 0.4

    def execute(self, context: CollectContext) -> StepResult:
        files = context.store / "files"
        mine = context.store / "runs" / str(context.run_id)
        files.mkdir(parents=True, exist_ok=True)
        new = 0
        for done, (name, digest) in enumerate(context.digests.items(), 1):
            file, own = files / f"{digest}.csv", mine / f"{digest}.csv"
            if not file.exists():
                # Record first, then make the thing: whatever stops us now, the undo knows.
                context.record_rollback("made", {"file": str(file), "own": str(own)})
                mine.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(context.source / name, own)
                os.link(own, file)
                new += 1
            context.set_progress(done, len(context.digests))
        old = len(context.digests) - new
        return StepResult(data={"new": new, "summary": f"{new} new, {old} already there"})

    def rollback(self, context: CollectContext, result: StepResult) -> None:
        for made in result.rollback_data.get("made", []):
            file, own = Path(made["file"]), Path(made["own"])
            # Ours only if both names lead to one file. Either may never have been made.
            if own.exists() and file.exists() and own.samefile(file):
                file.unlink()
            own.unlink(missing_ok=True)
            if own.parent.exists() and not any(own.parent.iterdir()):
                own.parent.rmdir()

    def preview(self, context: CollectContext) -> Iterator[str]:
        for name, digest in context.digests.items():
            known = (context.store / "files" / f"{digest}.csv").exists()
            yield f"{name}: already there" if known else f"{name} -> files/{digest[:12]}….csv"


@step(weight=0.2)
def register_readings(context: CollectContext) -> dict[str, Any]:
    """Enter the readings into the catalogue, file by file."""
    catalogue, run = context.store / "catalogue.db", str(context.run_id)
    new = 0
    with closing(sqlite3.connect(catalogue)) as db:
        db.executescript(SCHEMA)
        for name, digest in context.digests.items():
            if db.execute("SELECT 1 FROM files WHERE digest = ?", [digest]).fetchone():
                continue
            rows = rows_of(context.source / name)
            for sensor, time, _ in rows:
                taken = db.execute(
                    "SELECT name FROM files JOIN readings USING (digest)"
                    " WHERE sensor = ? AND time = ?",
                    [sensor, time],
                ).fetchone()
                if taken:
                    raise ValueError(f"{name}: {sensor} at {time} is already in {taken[0]}")
            context.record_rollback("rows", {"catalogue": str(catalogue), "digest": digest})
            with db:  # one transaction for each file
                db.execute("INSERT INTO files VALUES (?, ?, ?)", [digest, name, run])
                db.executemany(
                    "INSERT INTO readings VALUES (?, ?, ?, ?)", [(*row, digest) for row in rows]
                )
            new += len(rows)
    return {"new": new, "summary": f"{new} new readings"}


@register_readings.rollback
def remove_readings(context: CollectContext, result: StepResult) -> None:
    for made in result.rollback_data.get("rows", []):
        with closing(sqlite3.connect(made["catalogue"])) as db, db:
            ours = [made["digest"], str(context.run_id)]
            if db.execute("DELETE FROM files WHERE digest = ? AND run = ?", ours).rowcount:
                db.execute("DELETE FROM readings WHERE digest = ?", ours[:1])


@step(weight=0.1)
def write_manifest(context: CollectContext) -> dict[str, Any]:
    """Write down what this run brought, beside its files."""
    path = context.store / "runs" / str(context.run_id) / "manifest.json"
    context.record_rollback("manifest", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest = {"source": str(context.source), "files": context.digests}
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return {"summary": str(path.relative_to(context.store))}


@write_manifest.rollback
def remove_manifest(context: CollectContext, result: StepResult) -> None:
    for path in result.rollback_data.get("manifest", []):
        Path(path).unlink(missing_ok=True)


@write_manifest.skip_if
def nothing_new(context: CollectContext) -> bool:
    results = context.results
    return not results["store_files"].data["new"] and not results["register_readings"].data["new"]


collect = action(
    "collect",
    [find_readings, check_readings, StoreFiles(), register_readings, write_manifest],
    params=CollectParams,
    context=CollectContext,
)

if __name__ == "__main__":
    collect.main()
