"""What an upload costs beside the plain tools, in one run: `python benchmarks/upload.py`.

Each contender runs in a process of its own, in turn, round after round, on the same files and into
an empty target. The clock starts once it has imported what it needs, and the memory is the peak of
the whole process. The S3 server is Debian's radosgw, which does one thing at a time well: where
parts are sent, all contenders send one at a time.

    pip install -e core -e plugins/upload boto3      and, for the server, Debian's radosgw
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROUNDS = 5
WORKERS = 8
PART = 8 << 20
LARGE = 1 << 30

Contender = Callable[[Path, str], Callable[[], None]]


def files_in(source: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file, and its key."""
    for folder, _, names in os.walk(source):
        for name in names:
            path = Path(folder, name)
            yield path, path.relative_to(source).as_posix()


def handrail(source: Path, target: str) -> Callable[[], None]:
    """Run the whole upload: manifest, checksums, records for undo, catalogue."""
    import handrail_upload.storage.objects  # noqa: F401 - the clock is for the work
    from handrail import RuntimeContext
    from handrail_upload import DefaultUploadAction

    class Silent:
        def log(self, *_: Any) -> None: ...
        def set_progress(self, *_: Any) -> None: ...
        def set_metrics(self, *_: Any) -> None: ...

    params = {"source": source, "target": target, "concurrency": WORKERS, "part_concurrency": 1}
    action = DefaultUploadAction(params, RuntimeContext(logger=Silent()), packs=())

    def work() -> None:
        result = action.run()
        assert result["uploaded_files"], result

    return work


def cp(source: Path, target: str) -> Callable[[], None]:
    """Copy with `cp -r`, which leaves it to the system when to write."""
    return lambda: subprocess.run(["cp", "-r", source, target], check=True) and None


def cp_sync(source: Path, target: str) -> Callable[[], None]:
    """Copy with `cp -r`, and wait until it is written, as an upload does."""

    def work() -> None:
        subprocess.run(["cp", "-r", source, target], check=True)
        subprocess.run(["sync", "-f", target], check=True)

    return work


def staged(source: Path, target: str) -> Callable[[], None]:
    """Do what undo after a kill asks of any copy: a temporary name, a link, and one sync."""

    def work() -> None:
        for path, key in files_in(source):
            final = Path(target, key)
            final.parent.mkdir(parents=True, exist_ok=True)
            temporary = f"{final}.tmp"
            shutil.copyfile(path, temporary)
            os.link(temporary, final)
            os.unlink(temporary)
        subprocess.run(["sync", "-f", target], check=True)

    return work


def obstore_local(source: Path, target: str) -> Callable[[], None]:
    """Put each file with obstore into a local folder."""
    import obstore
    from obstore.store import LocalStore

    store = LocalStore(target, mkdir=True)
    return lambda: _with_obstore(obstore, store, source, "")


def obstore_s3(source: Path, target: str) -> Callable[[], None]:
    """Put each file with obstore into a bucket."""
    import obstore
    from obstore.store import S3Store

    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    store = S3Store(bucket, client_options={"allow_http": True, "timeout": "300s"})
    return lambda: _with_obstore(obstore, store, source, f"{prefix}/")


def _with_obstore(obstore: Any, store: Any, source: Path, prefix: str) -> None:
    def put(item: tuple[Path, str]) -> None:
        obstore.put(store, prefix + item[1], item[0], chunk_size=PART, max_concurrency=1)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(put, files_in(source)))


def boto3_s3(source: Path, target: str) -> Callable[[], None]:
    """Upload each file with the transfer manager of boto3."""
    import boto3
    from boto3.s3.transfer import TransferConfig

    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)

    def put(item: tuple[Path, str]) -> None:
        client.upload_file(str(item[0]), bucket, f"{prefix}/{item[1]}", Config=config)

    def work() -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(put, files_in(source)))

    return work


CONTENDERS: dict[str, Contender] = {
    "cp -r": cp,
    "cp -r, sync": cp_sync,
    "staged copy, sync": staged,
    "obstore, local": obstore_local,
    "obstore, s3": obstore_s3,
    "boto3, s3": boto3_s3,
    "handrail": handrail,
}

LOCAL = ("cp -r, sync", "cp -r", "staged copy, sync", "obstore, local", "handrail")
REMOTE = ("obstore, s3", "boto3, s3", "handrail")


def child(name: str, source: Path, target: str) -> None:
    """Run one contender once, and print what it took."""
    work = CONTENDERS[name](source, target)
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": took, "peak": peak}))


def once(name: str, source: Path, target: str, environment: dict[str, str]) -> dict[str, float]:
    """Run one contender in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="handrail-bench-") as folder:
        os.sync()
        done = subprocess.run(
            [sys.executable, __file__, "--child", name, str(source), target],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return measured


def table(title: str, rows: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and their ratio to the first contender."""
    print(f"\n{title}\n")
    print("| contender | seconds | ratio | peak MB |\n|---|---|---|---|")
    base = 0.0
    for name, runs in rows.items():
        took = statistics.median(each["seconds"] for each in runs)
        peak = statistics.median(each["peak"] for each in runs)
        base = base or took
        shown = "-" if name.startswith("cp") else f"{peak:.0f}"
        print(f"| {name} | {took:.3f} | {took / base:.2f} | {shown} |", flush=True)


def compare(
    title: str,
    names: tuple[str, ...],
    source: Path,
    rounds: int,
    targets: Callable[[], contextlib.AbstractContextManager[str]],
    environment: dict[str, str],
) -> None:
    """Run the contenders in turn, each into an empty target, and print the table."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with targets() as target:
                rows[name].append(once(name, source, target, environment))
    table(title, rows)


def make_small(folder: Path, count: int) -> Path:
    """Make many small files, of 4 to 12 kB."""
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096 + number * 8191 % 8192))
    return folder


def make_large(folder: Path) -> Path:
    """Make one large file."""
    folder.mkdir()
    with open(folder / "large.bin", "wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(LARGE >> 20))
    return folder


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=("local", "s3", "many"), action="append")
    parser.add_argument("--child", nargs=3, metavar=("NAME", "SOURCE", "TARGET"))
    given = parser.parse_args()
    if given.child:
        name, source, target = given.child
        child(name, Path(source), target)
        return
    wanted = given.only or ("local", "s3", "many")
    with tempfile.TemporaryDirectory(prefix="handrail-bench-files-") as base:
        small, large = make_small(Path(base, "small"), 1000), make_large(Path(base, "large"))

        @contextlib.contextmanager
        def folder() -> Iterator[str]:
            target = Path(base, "target")
            yield str(target)
            shutil.rmtree(target, ignore_errors=True)

        if "local" in wanted:
            compare("1000 small files, local", LOCAL, small, given.rounds, folder, {})
            compare("one file of 1 GiB, local", LOCAL, large, given.rounds, folder, {})
        if "many" in wanted:
            many = make_small(Path(base, "many"), 100_000)
            compare("100 000 small files, local", LOCAL, many, 1, folder, {})
        if "s3" in wanted:
            sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
            from servers.radosgw import running_radosgw

            with running_radosgw() as server:

                @contextlib.contextmanager
                def bucket() -> Iterator[str]:
                    name = server.bucket()
                    yield f"s3://{name}/bench"
                    objects = server.client().get_paginator("list_objects_v2")
                    for page in objects.paginate(Bucket=name):
                        keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
                        server.client().delete_objects(Bucket=name, Delete={"Objects": keys})

                variables = server.environment()
                rounds = given.rounds
                compare("1000 small files, radosgw", REMOTE, small, rounds, bucket, variables)
                compare("one file of 1 GiB, radosgw", REMOTE, large, rounds, bucket, variables)


if __name__ == "__main__":
    main()
