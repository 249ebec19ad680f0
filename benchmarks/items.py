"""Items and sweeps beside bare pools and `xargs`, in one run: `python benchmarks/items.py`.

Each contender maps a function that does nothing over so many items, cut into chunks of the same
size, with as many slots, and twice as many chunks under way; it is measured from the call to its
end, with the start of its processes. Only Handrail records each chunk, synced to the disk, before
it is sent and after it has ended, so that a kill can be finished or undone. A durable note of an
item is held against one commit of SQLite for each: that is what it takes at least for whoever
writes them one by one; slots share commits. An undo is held against the way forward. The processes
of Handrail import what makes contexts; those of the bare pool next to nothing.

A sweep of short runs is held against `xargs -P` of the same command, as often.

Each measurement is a process of its own, and the contenders take turns. Ray takes part if it is
installed here: one cluster of this machine, which all that use it join. Handrail's journal is in
PostgreSQL then, which has to be installed, too.

    python benchmarks/items.py --json items.json [--rounds 5] [--only items-1000] [--disk FOLDER]
    python benchmarks/peers/picture.py items.json      the tables of the docs
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent / "tests" / "support")]

from bench import Bench  # noqa: E402
from cases import FLOOR, Case, Contender  # noqa: E402
from environments import OURS, ROOT  # noqa: E402
from run import machine, measured, names  # noqa: E402
from tables import printed  # noqa: E402

SCRIPT = "items_work.py"
SLOTS = os.cpu_count() or 1
MOST, MANY, FEW, NOTED, RUNS = 1_000_000, 100_000, 10_000, 4000, 100
POOL, COMMITS, XARGS = "bare pool of processes", "sqlite3, one commit an item", "xargs -P"
BARE_RAY = "bare tasks of Ray, once started"
HANDRAIL = "handrail"


def contender(
    label: str,
    who: str,
    floor: str,
    count: int = MANY,
    *,
    way: str = "nothing",
    slots: int = SLOTS,
    chunk: int = 0,
) -> Contender:
    """Return who does so many items in one way."""
    peer = HANDRAIL if who in (HANDRAIL, "undo") else FLOOR
    script = (SCRIPT, who, way, str(slots), str(chunk))
    return Contender(label=label, peer=peer, script=script, steps=count, floor=floor)


def on_ray(
    label: str, who: str, floor: str, chunk: int, *, way: str = "nothing", count: int = MANY
) -> Contender:
    """Return who uses Ray, if it is installed: its bare tasks, or Handrail."""
    return Contender(
        label=label,
        peer="ray",
        script=(SCRIPT, who, way, str(SLOTS), str(chunk)),
        steps=count,
        floor=floor,
        remark="" if importlib.util.find_spec("ray") else "is not installed",
    )


def with_chunks(chunk: int, way: str = "nothing", words: str = "that do nothing") -> Case:
    """Return the items that record nothing."""
    suffix = "" if way == "nothing" else f"-{way}"
    return Case(
        name=f"items-{chunk}{suffix}",
        title=f"100 000 items {words}, in chunks of {chunk}, on {SLOTS} slots",
        work="items",
        unit="item",
        contenders=(
            contender(POOL, "pool", POOL, way=way, chunk=chunk),
            on_ray(BARE_RAY, "ray", POOL, chunk, way=way),
            contender(HANDRAIL, HANDRAIL, POOL, way=way, chunk=chunk),
            contender("handrail, its undo", "undo", HANDRAIL, way=way, chunk=chunk),
        ),
    )


WORKING = with_chunks(1000, "working", "of some tens of microseconds")
OF_ITS_OWN = Case(
    name="items-own",
    title=f"Items that do nothing, in chunks of its own choice, on {SLOTS} slots",
    work="items",
    unit="item",
    contenders=(
        contender("100 000 items", HANDRAIL, "100 000 items"),
        contender("10 000 items", HANDRAIL, "10 000 items", FEW),
        contender("1 item", HANDRAIL, "1 item", 1),
    ),
)
WITH_NOTES = Case(
    name="items-noted",
    title="4 000 items, with a durable note each, in chunks of 100",
    work="items",
    unit="item",
    contenders=(
        contender(COMMITS, "commits", COMMITS, NOTED),
        *(
            contender(
                HANDRAIL if slots == SLOTS else f"handrail, {slots} slot{'s' * (slots > 1)}",
                HANDRAIL,
                COMMITS,
                NOTED,
                way="noted",
                slots=slots,
                chunk=100,
            )
            for slots in sorted({1, SLOTS, 4, 8})
        ),
        contender("handrail, its undo", "undo", HANDRAIL, NOTED, way="noted", chunk=100),
    ),
)
ON_RAY = Case(
    name="items-ray",
    title=f"Items that do nothing, in chunks of 1000, on {SLOTS} slots of a Ray cluster",
    work="items",
    unit="item",
    contenders=(
        on_ray(f"{BARE_RAY}, 100 000 items", "ray", f"{BARE_RAY}, 100 000 items", 1000),
        on_ray("handrail, 100 000 items", "on-ray", f"{BARE_RAY}, 100 000 items", 1000),
        on_ray("handrail, its undo", "undo-on-ray", "handrail, 100 000 items", 1000),
        on_ray("handrail, 10 000 items", "on-ray", "handrail, 10 000 items", 1000, count=FEW),
    ),
)
SWEEP = Case(
    name="items-sweep",
    title=f"{RUNS} short runs, {SLOTS} at a time",
    work="sweep",
    unit="item",
    contenders=(
        contender(XARGS, "xargs", XARGS, RUNS, way="sweep"),
        contender(HANDRAIL, HANDRAIL, XARGS, RUNS, way="sweep"),
    ),
)
CASES = (with_chunks(1000), with_chunks(100), WORKING, OF_ITS_OWN, WITH_NOTES, ON_RAY, SWEEP)


@contextmanager
def servers(wanted: bool) -> Generator[dict[str, str]]:
    """Run a Ray cluster and PostgreSQL within the block; yield the variables that lead to them."""
    if not wanted:
        yield {}
        return
    from servers.postgres import running_postgres
    from servers.ray_cluster import running_ray

    with running_ray(cpus=SLOTS) as cluster, running_postgres() as postgres:
        yield {**cluster.environment, "BENCH_JOURNALS": postgres.url("postgres")}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    known = tuple(case.name for case in CASES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=names(known), default=known, metavar="CASES")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--disk", type=Path, default=ROOT / "build", help="where journals are")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one measurement")
    given = parser.parse_args()
    given.disk.mkdir(parents=True, exist_ok=True)
    here = Path(sys.executable)
    run: dict[str, Any] = {"schema": 1, "began": machine(), "rounds": given.rounds, "cases": []}
    cases = [case for case in CASES if case.name in given.only]
    with_ray = any(each.peer == "ray" and not each.remark for x in cases for each in x.contenders)
    with (
        servers(with_ray) as variables,
        tempfile.TemporaryDirectory(dir=given.disk, prefix="items-") as work,
    ):
        pythons = {OURS: here, HANDRAIL: here, "ray": here}
        bench = Bench(pythons, Path(work), given.limit, variables)
        for case in cases:
            run["cases"].append(measured(case, bench, {}, given.rounds))
            print(printed(run["cases"][-1]), flush=True)
            run["ended"] = machine()
            if given.json:
                given.json.write_text(json.dumps(run, indent=1))


if __name__ == "__main__":
    main()
