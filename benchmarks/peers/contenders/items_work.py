"""Items, and a sweep of short runs: by Handrail, by a bare pool of processes, by bare tasks of Ray.

`items_work.py CASE COUNT FOLDER WHO WAY SLOTS CHUNK` prints what it took as JSON. This file imports
nothing of Handrail by itself, since each worker of a bare pool imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

BLOCK = bytes(1 << 15)

# What is done for an item


def nothing(_item: int, _item_context: Any = None) -> None:
    """Do nothing, so that all of the time is that of the executor and the journal."""


def working(_item: int, _item_context: Any = None) -> None:
    """Work for some tens of microseconds."""
    hashlib.sha256(BLOCK).digest()


def noted(item: int, item_context: Any) -> None:
    """Record what an undo would need."""
    item_context.record_rollback("file", item)


def undone(_item: int, _item_context: Any, _data: Any) -> None:
    """Undo nothing."""


def chunk_of(function: Callable[[int], None], items: list[int]) -> list[None]:
    """Do all of a chunk; for pools that know no items."""
    for item in items:
        function(item)
    return [None] * len(items)


def chunks(count: int, size: int) -> Iterator[list[int]]:
    """Cut the items into chunks."""
    items = iter(range(count))
    while chunk := list(islice(items, size)):
        yield chunk


FUNCTIONS: dict[str, Callable[..., None]] = {
    "nothing": nothing,
    "working": working,
    "noted": noted,
}

# Who does them


def pool(way: str, count: int, _folder: Path, slots: int, chunk: int) -> None:
    """Use a pool of processes, with twice as many chunks under way as there are slots."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    with ProcessPoolExecutor(slots, mp_context=get_context("spawn")) as executor:
        running: set[Any] = set()
        for each in chunks(count, chunk):
            if len(running) == 2 * slots:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
            running.add(executor.submit(chunk_of, FUNCTIONS[way], each))
        for future in running:
            future.result()


def joined() -> Any:
    """Return Ray, after this process has joined the cluster that is there."""
    library: Any = import_module("ray")  # It has no complete types.
    library.init(logging_level="ERROR", log_to_driver=False)
    return library


def ray(way: str, count: int, _folder: Path, slots: int, chunk: int) -> float:
    """Use tasks of Ray in the same way; return when the cluster had been joined."""
    library = joined()
    began = time.perf_counter()
    task = library.remote(max_retries=0)(chunk_of)
    running: list[Any] = []
    for each in chunks(count, chunk):
        if len(running) == 2 * slots:
            ended, running = library.wait(running)
            library.get(ended)
        running.append(task.remote(FUNCTIONS[way], each))
    library.get(running)
    return began


def commits(_way: str, count: int, folder: Path, _slots: int, _chunk: int) -> None:
    """Commit one row for each item: what a durable note takes at least, if it is alone."""
    connection = sqlite3.connect(folder / "rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = full")
    connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, item INTEGER, value TEXT)")
    for item in range(count):
        connection.execute(
            "INSERT INTO note (item, value) VALUES (?, ?)", (item, json.dumps({"file": item}))
        )
    connection.close()


def journal_at(folder: Path, where: str) -> Any:
    """Return an empty journal: in a file, or for Ray in a database of its own."""
    if where != "ray":
        from handrail.sqlite import SqliteJournal

        return SqliteJournal(folder / "runs.db")
    from psycopg import connect

    from handrail_postgres import PostgresJournal

    url, name = os.environ["BENCH_JOURNALS"], f"bench_{os.getpid()}"
    with connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return PostgresJournal(f"{url.rpartition('/')[0]}/{name}")


def handrail(
    way: str, count: int, folder: Path, slots: int, chunk: int, *, undoes: bool, where: str
) -> float:
    """Use Handrail, with a journal that is synced; return when what is measured began."""
    from handrail import BaseStep, StepResult
    from handrail import action as make_action
    from handrail import rollback as roll_back

    began = 0.0

    class Items(BaseStep[Any]):
        name = "items"
        progress_weight = 1.0

        def execute(self, context: Any) -> StepResult:
            nonlocal began
            began = time.perf_counter()
            done = context.map_items(
                FUNCTIONS[way],
                range(count),
                rollback=undone if way == "noted" or undoes else None,
                chunk=chunk or None,
                executor=f"{where}:{slots}",
            )
            assert (done.count, done.failed) == (count, 0)
            return StepResult()

    flow = make_action("flow", [Items()])
    journal = journal_at(folder, where)
    if where == "ray":
        joined()
    result = flow(packs=()).run(journal=journal)
    assert result["success"]
    if undoes:
        began = time.perf_counter()
        assert roll_back(flow, 1, journal=journal, packs=())["rolled_back"]
    return began


FLOW = """
from pydantic import BaseModel

from handrail import action, step

class Params(BaseModel):
    number: int

@step
def look(context):
    return {"square": context.options.number ** 2}

square = action("square", [look], params=Params)
"""


def sweep(who: str, count: int, folder: Path, slots: int) -> None:
    """Run one short action with many params: by xargs, or as a sweep."""
    (folder / "flow.py").write_text(FLOW)
    command = [sys.executable, "-m", "handrail", "run", "flow.py:square"]
    numbers = [str(number) for number in range(count)]
    if who == "handrail":
        over = ["--over", f"number={','.join(numbers)}", "--executor", f"processes:{slots}"]
        subprocess.run([*command, *over], cwd=folder, check=True, capture_output=True)
        return
    one = ["xargs", "-P", str(slots), "-n", "1", *command, "--number"]
    subprocess.run(
        one, input="\n".join(numbers), text=True, cwd=folder, check=True, capture_output=True
    )


def cpu() -> float:
    """Return the seconds of the processor, with those of the workers that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_of_this_process() -> int:
    """Return the bytes that were resident at most; other than ru_maxrss, without its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


BARE: dict[str, Callable[[str, int, Path, int, int], float | None]] = {
    "pool": pool,
    "ray": ray,
    "commits": commits,
}


def main() -> None:
    """Do it, and say what it took."""
    _, _work, given, folder_given, who, way, *more = sys.argv
    count, folder = int(given), Path(folder_given)
    slots, chunk = (int(each) for each in more)
    began, cpu_began = time.perf_counter(), cpu()
    if who in BARE:
        began = BARE[who](way, count, folder, slots, chunk) or began
    elif way == "sweep":
        sweep(who, count, folder, slots)
    else:
        where = "ray" if who.endswith("on-ray") else "processes"
        undoes = who.startswith("undo")
        began = handrail(way, count, folder, slots, chunk, undoes=undoes, where=where)
    clock = time.perf_counter() - began
    peak = peak_of_this_process()
    print(
        json.dumps(
            {
                "clock": clock,
                "cpu": cpu() - cpu_began,
                "built": 0,
                "ready": 0,
                "peak": peak,
                "version": version("ray" if who.endswith("ray") else "handrail"),
                "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            }
        )
    )


if __name__ == "__main__":
    main()
