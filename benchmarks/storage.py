"""What storing and deleting costs beside floors: `python benchmarks/storage.py [FOLDER]`.

- Deleting 3008 objects that are looked at before, beside bulk requests that look at nothing; on
  Debian's radosgw, in a local folder, and on moto, which deletes each on a condition.
- Giving 10 000 small local files their names, with and without labels.

FOLDER is on the disk that is to be measured. All cases are timed in turns, each on new files.

    pip install -e core -e plugins/storage boto3 'moto[server]'      and Debian's radosgw
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore

from handrail_storage import Store, open_store
from handrail_storage.backend import ObjectStore
from handrail_storage.backend.labels import Label, Labels

ROUNDS = 3
OBJECTS = 3008
FILES = 10_000
MARK = "c1:0123456789abcdef:01a21588-73da-7b94-93db-d52d384639df/upload_files"
DIGEST = "0" * 64
PROBE = ".handrail-probe-01a21588-73da-7b94-93db-d52d384639df"

Case = Callable[[], None]


def timed(title: str, cases: dict[str, tuple[Case, Case]], rounds: int) -> None:
    """Prepare and run the cases in turns; print the medians, and the ratios to the first."""
    took: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (prepare, work) in cases.items():
            prepare()
            began = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - began)
    print(f"\n{title}\n\n| case | seconds | ratio |\n|---|---|---|")
    base = statistics.median(next(iter(took.values())))
    for name, each in took.items():
        median = statistics.median(each)
        print(f"| {name} | {median:.3f} | {median / base:.2f} |", flush=True)


def fill(store: Store) -> None:
    """Put the objects."""
    keys = [f"many/{number:06d}" for number in range(OBJECTS)]
    if isinstance(store, ObjectStore):
        requests = store.requests

        def put(key: str) -> None:
            requests.again(key, lambda: requests.put(key, b"x" * 1000, {}, "overwrite"))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, keys))
        return
    os.makedirs(f"{store.address}/many", exist_ok=True)
    for key in keys:
        Path(store.address, key).write_bytes(b"x" * 1000)


def delete_found(store: Store) -> None:
    """List the objects, as an undo does, and delete them if they are still the same."""
    assert store.delete_found(list(store.listing("many/"))) == set()


def delete_objects(server: Any, bucket: str) -> None:
    """Delete in bulk with boto3, after a listing."""
    for page in server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
        server.client().delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def delete_paths(store: ObjectStore) -> None:
    """Delete in bulk with obstore, after a listing."""
    paths = [store.requests.path(each.key) for each in store.listing("many/")]
    obstore.delete(store.requests.patient, paths)


def on_server(name: str, server: Any, rounds: int) -> None:
    """Delete objects of a server."""
    os.environ.update(server.environment())
    bucket = server.bucket()
    store = open_store(f"s3://{bucket}/bench")
    assert isinstance(store, ObjectStore)
    shown = store.probe(PROBE, MARK)

    def prepare() -> None:
        fill(store)

    timed(
        f"{OBJECTS} objects deleted, {name}, conditional: {shown.delete_if}",
        {
            "boto3, bulk": (prepare, lambda: delete_objects(server, bucket)),
            "obstore, bulk": (prepare, lambda: delete_paths(store)),
            "delete_found": (prepare, lambda: delete_found(store)),
        },
        rounds,
    )


def in_folder(folder: Path, rounds: int) -> None:
    """Delete files of a folder."""
    store = open_store(str(folder / "target"))

    def unlink() -> None:
        for entry in os.scandir(f"{store.address}/many"):
            os.unlink(entry.path)

    timed(
        f"{OBJECTS} files deleted, local",
        {
            "unlink": (lambda: fill(store), unlink),
            "delete_found": (lambda: fill(store), lambda: delete_found(store)),
        },
        rounds,
    )


def names(folder: Path, rounds: int) -> None:
    """Give files their names: linked, then the temporary name removed."""
    made = folder / "made"
    labels = Labels(str(made), lambda key: f"{made}/{key}")

    def prepare() -> None:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for number in range(FILES):
            Path(made, f"{number}.tmp").write_bytes(b"x" * 1000)
        os.sync()

    def link(labelled: bool) -> None:
        for number in range(FILES):
            temporary, path = f"{made}/{number}.tmp", f"{made}/{number}"
            if labelled:
                found = os.lstat(temporary)
                labels.set(temporary, str(number), Label.of(found, MARK, DIGEST))
            os.link(temporary, path)
            os.unlink(temporary)

    def flushed(labelled: bool) -> Case:
        def work() -> None:
            link(labelled)
            os.sync()

        return work

    timed(
        f"{FILES} files named, local",
        {
            "link, unlink": (prepare, lambda: link(False)),
            "label, link, unlink": (prepare, lambda: link(True)),
            "link, unlink, then sync": (prepare, flushed(False)),
            "label, link, unlink, then sync": (prepare, flushed(True)),
        },
        rounds,
    )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=("labels", "local", "radosgw", "moto"), action="append")
    given = parser.parse_args()
    wanted = given.only or ("labels", "local", "radosgw", "moto")
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    from servers.moto import running_moto
    from servers.radosgw import running_radosgw

    with tempfile.TemporaryDirectory(prefix="handrail-bench-", dir=given.folder) as folder:
        if "labels" in wanted:
            names(Path(folder), given.rounds)
        if "local" in wanted:
            in_folder(Path(folder), given.rounds)
    for name, running in (("radosgw", running_radosgw), ("moto", running_moto)):
        if name in wanted:
            with running() as server:
                on_server(name, server, given.rounds)


if __name__ == "__main__":
    main()
