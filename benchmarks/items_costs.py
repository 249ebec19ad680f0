"""Works out what 100 million items would cost: `python benchmarks/items_costs.py [--write]`.

Nobody has run that many. This measures some thousands of chunks and notes, on SQLite and on
PostgreSQL, which has to be installed; takes the difference of two sizes, so that what a run costs
once is left out; and multiplies. `--write` puts the tables into
`docs/explanation/what-100-million-items-cost.md`.

Each measurement is a process of its own. The chunks are of items that do nothing, so the times are
those of Handrail; those of the disk are not multiplied, as they depend on the disk: the number of
commits is.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [
    *(str(HERE / "peers"), str(HERE / "peers" / "contenders")),
    str(HERE.parent / "tests" / "support"),
]

from items_work import noted, nothing, undone  # noqa: E402
from picture import written  # noqa: E402
from servers.postgres import PostgresServer, running_postgres  # noqa: E402

PAGE = HERE.parent / "docs" / "explanation" / "what-100-million-items-cost.md"
SLOTS = 2
SIZES = (10_000, 1_000_000, 100_000_000)


def result(item: int, _item_context: Any) -> dict[str, int]:
    """Return a small result."""
    return {"bytes": item}


# By name: the function, whether there is an undo, the items in a chunk, and two numbers of items.
MEASURED = {
    "chunk": (nothing, False, 10, (2_000, 12_000)),
    "result": (result, False, 1000, (10_000, 110_000)),
    "item": (nothing, True, 1000, (10_000, 110_000)),
    "note": (noted, True, 100, (400, 2_400)),
}


def run_once(name: str, count: int, folder: Path, url: str | None) -> dict[str, float]:
    """Run so many items; return the seconds of the driver's processor, bytes, and commits."""
    from handrail import BaseStep, StepResult, action

    function, undoes, chunk, _ = MEASURED[name]

    class Items(BaseStep[Any]):
        name = "items"
        progress_weight = 1.0

        def execute(self, context: Any) -> StepResult:
            rollback = undone if undoes else None
            context.map_items(
                function,
                range(count),
                rollback=rollback,
                chunk=chunk,
                executor=f"processes:{SLOTS}",
            )
            return StepResult()

    journal = Sqlite(folder) if url is None else Postgres(url)
    before = journal.figures()
    used, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    assert action("flow", [Items()])(packs=()).run(journal=journal.journal)["success"]
    ended, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - clock
    after = journal.figures()
    cpu = ended.ru_utime + ended.ru_stime - used.ru_utime - used.ru_stime
    return {
        "cpu": cpu,
        "clock": took,
        **{key: after[key] - before[key] for key in after},
    }


class Sqlite:
    """A journal in a file, which counts its commits."""

    def __init__(self, folder: Path) -> None:
        from handrail.builtin.sqlite.database import Database
        from handrail.sqlite import SqliteJournal

        self.path = folder / "runs.db"
        self.journal: Any = SqliteJournal(self.path)
        self.commits = 0
        usual = Database.write

        def counted(*given: Any, **more: Any) -> Any:
            self.commits += 1
            return usual(*given, **more)

        setattr(Database, "write", counted)  # noqa: B010 - as it stands, it has another type

    def figures(self) -> dict[str, float]:
        """Return the bytes of the file, once all of it is there, and the commits so far."""
        import sqlite3

        if not self.path.exists():
            return {"bytes": 0, "commits": 0}
        with sqlite3.connect(self.path) as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
        return {"bytes": pages * size, "commits": self.commits}


class Postgres:
    """A journal in an empty database, whose server counts."""

    def __init__(self, url: str) -> None:
        from handrail_postgres import PostgresJournal

        self.url = url
        self.journal: Any = PostgresJournal(url)

    def figures(self) -> dict[str, float]:
        """Return the bytes of the tables and their indexes, those of the log, and the commits."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_clear_snapshot()")
            time.sleep(1.5)  # The server counts once a second.
            row = connection.execute(
                "SELECT pg_database_size(current_database()),"
                " (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),"
                " pg_current_wal_lsn() - '0/0'::pg_lsn"
            ).fetchone()
        assert row is not None
        return {"bytes": float(row[0]), "commits": float(row[1]), "log": float(row[2])}


def each(name: str, server: PostgresServer | None) -> dict[str, float]:
    """Return what one more chunk, result, item that can be undone, or note costs."""
    _, _, chunk, counts = MEASURED[name]
    found: list[dict[str, float]] = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=HERE.parent / "build") as folder:
            url = "" if server is None else server.database()
            words = [sys.executable, __file__, "--once", name, str(count), folder, url]
            told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            found.append(json.loads(told.splitlines()[-1]))
    more = (counts[1] - counts[0]) / (chunk if name == "chunk" else 1)
    return {key: (found[1][key] - found[0][key]) / more for key in found[0]}


Measured = Mapping[str, Mapping[str, float]]


def cost(measured: Measured, items: int, chunk: int, *, notes: bool) -> dict[str, float]:
    """Return what so many items in such chunks cost, from what each costs."""
    chunks = -(-items // chunk)
    total = {key: measured["chunk"][key] * chunks for key in measured["chunk"]}
    if notes:
        for part in ("item", "note"):
            for key in total:
                total[key] += max(measured[part][key], 0.0) * items
    return {"chunks": chunks, **total}


# How long an item takes, and how many are in a chunk then: half a second of work, at most 1000.
KINDS = (("0.1 ms", 1000), ("10 ms", 50), ("1 s", 1))


def tables(measured: Measured, where: str) -> str:
    """Return the tables of a page."""
    units = {
        "chunk": "a chunk",
        "result": 'a result of an item, `{"bytes": 12345}`',
        "item": "an item of a step that can be undone",
        "note": "a durable note of an item",
    }
    heads = [
        "driver, us of CPU",
        "bytes",
        "commits",
        *(["log, bytes"] if where == "PostgreSQL" else []),
    ]
    keys = ["cpu", "bytes", "commits", *(["log"] if where == "PostgreSQL" else [])]
    lines = [f"| {where}: each further | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, words in units.items():
        values = {**measured[name], "cpu": measured[name]["cpu"] * 1e6}
        lines.append(f"| {words} | {' | '.join(amount(values[key]) for key in keys)} |")
    lines += [
        "",
        f"| items, each of | notes | chunk rows | driver | {where} | commits |",
        "|---|---|---|---|---|---|",
    ]
    for items in SIZES:
        for takes, chunk in KINDS:
            for notes in (False, True):
                worked = cost(measured, items, chunk, notes=notes)
                lines.append(
                    f"| {items:,} of {takes} | {'one each' if notes else 'none'} "
                    f"| {worked['chunks']:,.0f} | {span(worked['cpu'])} "
                    f"| {size(worked['bytes'])} | {amount(worked['commits'])} |".replace(",", " ")
                )
    return "\n".join(lines) + "\n"


def amount(value: float) -> str:
    """Return a number with two digits that count."""
    if value < 0.05:
        return "0"
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}".replace(",", " ") if rounded >= 10 else f"{rounded:g}"


def span(seconds: float) -> str:
    """Return a time in words."""
    for name, unit in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{amount(seconds / unit)} {name}"
    return f"{amount(seconds)} s"


def size(count: float) -> str:
    """Return a number of bytes in words."""
    for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= unit:
            return f"{amount(count / unit)} {name}"
    return f"{amount(count)} B"


def main(arguments: Sequence[str]) -> None:
    """Measure, multiply, and print or write."""
    if arguments[:1] == ["--once"]:
        _, name, count, folder, url = arguments
        print(json.dumps(run_once(name, int(count), Path(folder), url or None)))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    (HERE.parent / "build").mkdir(exist_ok=True)
    with running_postgres() as server:
        for where in ("SQLite", "PostgreSQL"):
            journals = server if where == "PostgreSQL" else None
            text = tables({name: each(name, journals) for name in MEASURED}, where)
            print(text)
            if given.write:
                PAGE.write_text(written(PAGE.read_text(), f"items-{where.lower()}", text))


if __name__ == "__main__":
    main(sys.argv[1:])
