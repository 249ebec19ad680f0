"""What an export costs beside the bare libraries, in one run: `python benchmarks/export.py`.

Each contender runs in a process of its own, in turn, round after round, on the same source and to a
file that is not there yet. The clock starts once it has copied one row from file to file, and so
has imported what it needs; the memory is the peak of the whole process. On a machine that others
use too, compare the seconds of CPU. All write the same rows with the same compression, sync the
file and give it its name; the whole export records for undo and makes a manifest with a checksum
besides.

    pip install -e core -e plugins/export adbc-driver-postgresql     and, for it, PostgreSQL
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROUNDS = 3
ROWS = 10_000_000
BATCH = 1 << 16
ADBC, DUCKDB = ("ADBC, pyarrow",), ("duckdb", "duckdb, sha256")
MEMORY = "512MB"

Contender = Callable[[str, str], Callable[[], None]]


class Silent:
    def log(self, *_: Any) -> None: ...
    def set_progress(self, *_: Any) -> None: ...
    def set_metrics(self, *_: Any) -> None: ...


def handrail(source: str, target: str) -> Callable[[], None]:
    """Run the whole export."""
    import adbc_driver_sqlite.dbapi  # noqa: F401 - the clock is for the work

    from handrail import RuntimeContext
    from handrail_export import DefaultExportAction

    if source.startswith("postgresql:"):
        import adbc_driver_postgresql.dbapi  # noqa: F401

    def work(source: str = source, target: str = target) -> None:
        params = {"source": source, "target": target, "memory": MEMORY}
        if not source.endswith((".parquet", ".csv")):
            params["table"] = "item"
        action = DefaultExportAction(params, RuntimeContext(logger=Silent()), packs=())
        result = action.run()
        assert result["exported_count"], result

    work(*one_row(target))
    return work


def bare_adbc(source: str, target: str) -> Callable[[], None]:
    """Fetch batches with ADBC and write them with pyarrow."""
    import pyarrow.csv
    import pyarrow.parquet

    options = {}
    if source.startswith("postgresql:"):
        import adbc_driver_postgresql.dbapi as driver
    else:
        import adbc_driver_sqlite.dbapi as driver

        source = f"file:{source}?mode=ro"
        options = {"adbc.sqlite.query.batch_rows": str(BATCH)}

    def work() -> None:
        connection = driver.connect(source)
        with connection.cursor(adbc_stmt_kwargs=options) as cursor:
            cursor.execute("SELECT * FROM item")
            reader = cursor.fetch_record_batch()
            if target.endswith(".csv"):
                writer = pyarrow.csv.CSVWriter(f"{target}.tmp", reader.schema)
            else:
                writer = pyarrow.parquet.ParquetWriter(
                    f"{target}.tmp", reader.schema, compression="zstd"
                )
            with writer:
                for batch in reader:
                    writer.write_batch(batch)
        finish(target)
        connection.close()

    return work


def bare_duckdb(source: str, target: str) -> Callable[[], None]:
    """Let duckdb copy from one file to another, with as much memory as the export has."""
    import duckdb

    options = {
        ".parquet": "FORMAT parquet, COMPRESSION zstd",
        ".csv": "FORMAT csv",
        ".jsonl": "FORMAT json",
    }[Path(target).suffix]

    def work(source: str = source, target: str = target) -> None:
        connection = duckdb.connect(config={"memory_limit": MEMORY})
        connection.execute(f"COPY (SELECT * FROM '{source}') TO '{target}.tmp' ({options})")
        finish(target)

    work(*one_row(target))
    return work


def duckdb_and_digest(source: str, target: str) -> Callable[[], None]:
    """Let duckdb copy, and compute the checksum of the file: the least that an export takes."""
    copy = bare_duckdb(source, target)

    def work() -> None:
        copy()
        with open(target, "rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()

    return work


def one_row(target: str) -> tuple[str, str]:
    """Make a file with one row beside a target; return it, and a target for it."""
    folder = Path(target).parent
    (folder / "row.csv").write_text("id,price\n1,0.5\n")
    return str(folder / "row.csv"), str(folder / f"one{Path(target).suffix}")


def finish(target: str) -> None:
    """Sync what was written, and give it its name."""
    number = os.open(f"{target}.tmp", os.O_RDONLY)
    os.fsync(number)
    os.close(number)
    os.replace(f"{target}.tmp", target)


CONTENDERS: dict[str, Contender] = {
    "ADBC, pyarrow": bare_adbc,
    "duckdb": bare_duckdb,
    "duckdb, sha256": duckdb_and_digest,
    "handrail": handrail,
}


def child(name: str, source: str, target: str) -> None:
    """Run one contender once, and print what it took."""
    work = CONTENDERS[name](source, target)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    work()
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "seconds": took,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak": after.ru_maxrss / 1024,
        "size": os.path.getsize(target) / 1e6,
    }
    print(json.dumps(measured))


def once(name: str, source: str, ending: str, work: Path) -> dict[str, float]:
    """Run one contender in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="handrail-bench-", dir=work) as folder:
        os.sync()
        target = f"{folder}/out.{ending}"
        done = subprocess.run(
            [sys.executable, __file__, "--child", name, source, target],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return measured


def compare(
    title: str, bare: Sequence[str], source: str, ending: str, rounds: int, work: Path
) -> None:
    """Run the contenders in turn, and print their medians, as ratios to the first."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in (*bare, "handrail")}
    for _ in range(rounds):
        for name, measured in runs.items():
            measured.append(once(name, source, ending, work))
    base: dict[str, float] = {}
    for name, measured in runs.items():
        middle = {part: statistics.median(each[part] for each in measured) for part in measured[0]}
        base = base or middle
        times = (f"{middle[p]:.2f} | {middle[p] / base[p]:.2f}" for p in ("seconds", "cpu"))
        row = f"{' | '.join(times)} | {middle['peak']:.0f} | {middle['size']:.0f}"
        print(f"| {title} | {name} | {row} |", flush=True)


def make_sqlite(path: Path, rows: int) -> str:
    """Make an SQLite file with a table of five columns."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute(
            "CREATE TABLE item"
            " (id INTEGER PRIMARY KEY, name TEXT, price REAL, kind INTEGER, day TEXT)"
        )
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO item SELECT i, 'item ' || (i * 7919 % 100003), i * 0.25, i % 7,"
            " '2026-' || (i % 12 + 1) || '-' || (i % 28 + 1) FROM n",
            (rows,),
        )
        database.commit()
    return str(path)


def make_files(folder: Path, rows: int) -> Iterator[str]:
    """Make the same rows as a Parquet and as a CSV file."""
    import duckdb

    query = f"""
        SELECT i AS id, 'item ' || (i * 7919 % 100003) AS name, i * 0.25::DOUBLE AS price,
               i % 7 AS kind, DATE '2026-01-01' + CAST(i % 300 AS INTEGER) AS day
        FROM range({rows}) AS t(i)
    """
    for ending in ("parquet", "csv"):
        path = folder / f"{rows}.{ending}"
        duckdb.execute(f"COPY ({query}) TO '{path}'")
        yield str(path)


@contextlib.contextmanager
def make_postgres(rows: int) -> Iterator[str]:
    """Run a PostgreSQL with the same table."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from servers.postgres import running_postgres

    with running_postgres() as server:
        url = server.database()
        statement = f"""
            CREATE UNLOGGED TABLE item AS
            SELECT i AS id, 'item ' || (i * 7919 % 100003) AS name, i * 0.25::float8 AS price,
                   i % 7 AS kind, DATE '2026-01-01' + (i % 300)::int AS day
            FROM generate_series(1::bigint, {rows}) AS t(i)
        """
        subprocess.run([server.programs / "psql", "-q", url, "-c", statement], check=True)
        yield url


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--rows", type=int, action="append", help="repeatable; 1, 5 and 10 million")
    parser.add_argument("--only", choices=("sqlite", "postgres", "files"), action="append")
    parser.add_argument("--work", type=Path, help="a folder on the disk that is to be measured")
    parser.add_argument("--child", nargs=3, metavar=("NAME", "SOURCE", "TARGET"))
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    wanted = given.only or ("sqlite", "postgres", "files")
    print("| export | contender | seconds | ratio | CPU s | ratio | peak MB | file MB |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="handrail-bench-", dir=given.work) as base:
        work = Path(base)
        for rows in given.rows or (ROWS // 10, ROWS // 2, ROWS):
            size = f"{rows / 1e6:g} M"
            if "sqlite" in wanted:
                source = make_sqlite(work / f"{rows}.db", rows)
                for ending in ("parquet", "csv"):
                    title = f"{size}, SQLite to {ending}"
                    compare(title, ADBC, source, ending, given.rounds, work)
            if "postgres" in wanted:
                with make_postgres(rows) as source:
                    title = f"{size}, PostgreSQL to parquet"
                    compare(title, ADBC, source, "parquet", given.rounds, work)
            if "files" in wanted:
                parquet, csv = make_files(work, rows)
                for ending in ("parquet", "csv", "jsonl"):
                    title = f"{size}, Parquet to {ending}"
                    compare(title, DUCKDB, parquet, ending, given.rounds, work)
                compare(f"{size}, CSV to parquet", DUCKDB, csv, "parquet", given.rounds, work)


if __name__ == "__main__":
    main()
