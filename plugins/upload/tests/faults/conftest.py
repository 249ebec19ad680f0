"""What the fault tests share: a scene to upload in, and its world as seen from outside.

A scene has a source, a target and a catalogue, and things of others beside them. Its world is all
that can be found there: a fault is undone well if the world is afterwards what it was before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from pairing import keep_pairs
from servers.s3 import S3Server

from handrail import BaseStep, RuntimeContext, StepFailedError, StepResult
from handrail_storage.claims import FOLDER as OWN
from handrail_upload import (
    DefaultUploadAction,
    DirectUploader,
    FolderDiscovery,
    OrganizeFilesStep,
    UploadFilesStep,
)
from handrail_upload.storage.objects import ObjectStorage

LONG_AGO = 1_600_000_000  # Seconds since the epoch; a file that is written to is newer.
MIB = 1 << 20

Edit = Callable[[Any], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark all of them: together they take minutes, and none is about a version of anything."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("slow")
    keep_pairs(config, items, "scene", here)


@pytest.fixture(autouse=True)
def quick_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server beside the tests is quicker than one far away: less to wait for after a kill."""
    monkeypatch.setattr(ObjectStorage, "lag", 0.1)


def wait_until(true: Callable[[], Any], what: str = "it") -> None:
    """Wait until `true()` is, for a minute."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.005)


# Where files go


class Place(Protocol):
    """A target, seen from outside."""

    url: str
    environment: Mapping[str, str]

    def objects(self) -> dict[str, Any]:
        """Return all that is there, also what is not below the target, by key."""
        ...

    def stamps(self) -> dict[str, Any]:
        """Return what changes when an object is stored again; claims are left out."""
        ...

    def wipe(self) -> None:
        """Remove everything."""
        ...

    def content(self, key: str) -> bytes: ...

    def put(self, key: str, content: bytes) -> None:
        """Store something as somebody else, without what is ours."""
        ...

    def remove(self, key: str) -> None: ...

    def unfinished(self) -> list[str]:
        """Return the keys of what is stored in parts and not completed."""
        ...


@dataclass
class Folder:
    """A local folder."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.path)

    def objects(self) -> dict[str, Any]:
        return entries(self.path)

    def stamps(self) -> dict[str, Any]:
        return {key: what for key, what in self.objects().items() if key.split("/")[0] != OWN}

    def wipe(self) -> None:
        shutil.rmtree(self.path)

    def content(self, key: str) -> bytes:
        return (self.path / key).read_bytes()

    def put(self, key: str, content: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name[:20]}.somebody")
        beside.write_bytes(content)
        beside.replace(path)

    def remove(self, key: str) -> None:
        (self.path / key).unlink()

    def unfinished(self) -> list[str]:
        return []


@dataclass
class Bucket:
    """A bucket; what is uploaded goes below `data/`."""

    server: S3Server
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/data"

    @property
    def environment(self) -> Mapping[str, str]:
        return self.server.environment()

    def _listed(self) -> Iterator[dict[str, Any]]:
        pages = self.server.client().get_paginator("list_objects_v2").paginate(Bucket=self.name)
        for page in pages:
            yield from page.get("Contents", [])

    def objects(self) -> dict[str, Any]:
        found = {}
        for each in self._listed():
            answer = self.server.client().get_object(Bucket=self.name, Key=each["Key"])
            content = hashlib.sha256(answer["Body"].read()).hexdigest()
            found[each["Key"]] = (content, answer["Metadata"], answer["ContentType"])
        return {**found, **dict.fromkeys(self.unfinished(), "unfinished")}

    def stamps(self) -> dict[str, Any]:
        found = {each["Key"]: (each["ETag"], each["LastModified"]) for each in self._listed()}
        return {key: stamp for key, stamp in found.items() if f"/{OWN}/" not in key}

    def wipe(self) -> None:
        for each in self._listed():
            self.server.client().delete_object(Bucket=self.name, Key=each["Key"])

    def content(self, key: str) -> bytes:
        answer = self.server.client().get_object(Bucket=self.name, Key=f"data/{key}")
        content: bytes = answer["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> None:
        self.server.client().put_object(
            Bucket=self.name, Key=f"data/{key}", Body=content, Metadata={"owner": "somebody"}
        )

    def remove(self, key: str) -> None:
        self.server.client().delete_object(Bucket=self.name, Key=f"data/{key}")

    def unfinished(self) -> list[str]:
        listed = self.server.client().list_multipart_uploads(Bucket=self.name)
        return [each["Key"] for each in listed.get("Uploads", [])]

    def refuse(self, key: str, action: str = "s3:PutObject") -> None:
        """Let the server refuse that for one key, or for those that a `*` in it stands for."""
        place = f"arn:aws:s3:::{self.name}/data/{key}"
        rule = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": place}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
        self.server.client().put_bucket_policy(Bucket=self.name, Policy=policy)

    def allow_all(self) -> None:
        self.server.client().delete_bucket_policy(Bucket=self.name)


# Where they are registered


@dataclass
class Sqlite:
    """A catalogue in a file."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def rows(self) -> dict[str, Any] | None:
        """Return the rows of all tables that are not empty, by table; None without a catalogue."""
        if not self.path.exists():
            return None
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as database:
            names = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'"
            ).fetchall()
            found = {name: set(database.execute(f'SELECT * FROM "{name}"')) for (name,) in names}
        return {name: rows for name, rows in found.items() if rows}


@dataclass
class Postgres:
    """A catalogue in a database of its own."""

    url: str

    def connect(self) -> Any:
        psycopg = pytest.importorskip("psycopg")
        return psycopg.connect(self.url, autocommit=True)

    def rows(self) -> dict[str, Any] | None:
        with self.connect() as database:
            names = database.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            found = {
                name: set(database.execute(f'SELECT * FROM "{name}"').fetchall())
                for (name,) in names
            }
        return {name: rows for name, rows in found.items() if rows} if names else None


# What is where


def what_it_is(path: Path) -> Any:
    """Return the kind of what is there; of a file, what tells whether it was touched.

    Raises:
        FileNotFoundError: it is not there, or not any more.
    """
    about = path.lstat()
    if stat.S_ISDIR(about.st_mode):
        return "folder"
    if stat.S_ISLNK(about.st_mode):
        return f"link to {os.readlink(path)}"
    if not stat.S_ISREG(about.st_mode):
        return "special"
    if path.suffix == ".db":
        return "database"  # Its rows count, not its bytes.
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return content, about.st_mode, about.st_ino, about.st_mtime_ns


def entries(folder: Path) -> dict[str, Any]:
    """Return all files and folders below a folder, with what tells whether they were touched.

    What Handrail itself writes down of runs is left out; the lists of uploads are ours.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        name = os.fsdecode(os.fsencode(path.relative_to(folder)))
        if f"{name}/".startswith(".handrail/") and not name.startswith(".handrail/uploads/"):
            continue
        if "uploads/claims" in name or "uploads/files" in name:
            continue  # Caches, which may keep anything.
        with contextlib.suppress(FileNotFoundError):  # A temporary file of a run that goes on.
            found[name] = what_it_is(path)
    return found


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an upload ended.

    Attributes:
        code: The exit code that it would have on the command line.
        error: What it raised.
        context: Its context, with the results of the steps.
        result: What it returned.
        logged: `(event, data, file)` of what the steps logged.
    """

    code: int
    error: BaseException | None
    context: Any
    result: Any
    logged: list[tuple[str, Any, str | None]]

    @property
    def message(self) -> str:
        """What is said to be the cause."""
        cause = None if self.error is None else self.error.__cause__ or self.error
        return str(getattr(cause, "message", cause))

    @property
    def outcome(self) -> str:
        return "completed" if self.error is None else getattr(self.error, "outcome", "interrupted")

    def recorded(self, step: str) -> dict[str, Any]:
        """Return the rollback data of a step."""
        names = [each.name for each in self.context.plan_steps]
        data: dict[str, Any] = self.context.step_results[names.index(step)].rollback_data
        return data


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What is said about an error."""
        return self.err[self.err.find("error:") :] if "error:" in self.err else ""


class Tape:
    """Keeps what steps log."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, Any, str | None]] = []

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self.logged.append((event, data, file))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Not kept."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Not kept."""


@dataclass
class Scene:
    """A place to upload in: a working folder with a source, a target, and a catalogue."""

    folder: Path
    place: Any
    catalogue: Any
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def source(self) -> Path:
        return self.folder / "photos"

    def fill(self, files: Mapping[str, bytes | int] | int) -> None:
        """Write source files: contents or sizes by name, or so many small ones."""
        if isinstance(files, int):
            files = {f"{number:04}.txt": b"photo %d" % number for number in range(files)}
        for name, content in files.items():
            self.write(name, content)

    def write(self, name: str, content: bytes | int) -> Path:
        """Write one source file, of long ago; a size stands for that many bytes."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            content = (hashlib.sha256(name.encode()).digest() * (content // 32 + 1))[:content]
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def world(self) -> dict[str, Any]:
        """Return all that is there."""
        return {
            "target": self.place.objects(),
            "catalogue": self.catalogue.rows(),
            "folder": entries(self.folder),
        }

    def params(self, **options: Any) -> dict[str, Any]:
        return {
            "source": self.source,
            "target": self.place.url,
            "catalogue": self.catalogue.url,
            # radosgw loses parts that arrive side by side.
            "part_concurrency": 1,
            **options,
        }

    def upload(self, edit: Edit = lambda registry: None, **options: Any) -> Ended:
        """Upload in this process; `edit` may change the steps."""
        made: list[Any] = []
        tape = Tape()

        class Upload(DefaultUploadAction):
            action_name = "upload"

            def setup_steps(self, registry: Any) -> None:
                super().setup_steps(registry)
                edit(registry)

            def create_context(self) -> Any:
                made.append(super().create_context())
                return made[-1]

        action = Upload(self.params(**options), RuntimeContext(logger=tape), packs=())
        result, error, code = None, None, 0
        try:
            result = action.run()
        except StepFailedError as failed:
            error = failed
            code = 5 if failed.rollback_errors or failed.outcome == "completed" else 1
        except KeyboardInterrupt as interrupt:
            error, code = interrupt, 130
        context = made[0]
        context.plan_steps = action.plan().steps
        return Ended(
            code=code, error=error, context=context, result=result, logged=list(tape.logged)
        )

    def rollback(self, step: BaseStep[Any], data: Mapping[str, Any], **options: Any) -> None:
        """Undo one step as a new process would: from params and recorded JSON alone."""
        action = DefaultUploadAction(self.params(**options), RuntimeContext(), packs=())
        told = json.loads(json.dumps(data))
        step.rollback(action.create_context(), StepResult(success=False, rollback_data=told))

    # The same through the command line

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Return the environment of a command; None takes a variable away."""
        dropped = ("HANDRAIL_", "AWS_", "PG", "FORCE_COLOR")
        wanted = {
            **{name: value for name, value in os.environ.items() if not name.startswith(dropped)},
            **self.place.environment,
            "HOME": str(self.folder.parent),
            "NO_COLOR": "1",
            "COLUMNS": "400",
            "PYTHONFAULTHANDLER": "1",
            **variables,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def start(self, *words: object, **variables: str | None) -> subprocess.Popen[str]:
        """Start `handrail WORDS`."""
        process = subprocess.Popen(
            [sys.executable, "-m", "handrail", *map(str, words)],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.started.append(process)
        return process

    def leave(self) -> None:
        """Kill what a test that failed has left running, so that no other test is told of it."""
        for process in self.started:
            process.kill()
            process.communicate()

    def start_upload(self, *words: object, **variables: str | None) -> subprocess.Popen[str]:
        """Start `handrail run upload` with source, target, catalogue and these words."""
        where = (self.source, self.place.url, "--catalogue", self.catalogue.url)
        return self.start("run", "upload", *where, "--part-concurrency", 1, *words, **variables)

    def command(self, *words: object, **variables: str | None) -> Done:
        """Run `handrail WORDS` to its end."""
        return ended(self.start(*words, **variables))

    def upload_command(self, *words: object, **variables: str | None) -> Done:
        """Run `handrail run upload` to its end; see `start_upload`."""
        return ended(self.start_upload(*words, **variables))


def ended(process: subprocess.Popen[str]) -> Done:
    """Wait for a command to end; end it after two minutes."""
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        # It tells where its threads are; see PYTHONFAULTHANDLER.
        process.send_signal(signal.SIGABRT)
        _, err = process.communicate()
        pytest.fail(f"it hangs: {err[-20_000:]}")
    return Done(code=process.returncode, out=out, err=err)


# What a test puts into an upload


class FailStep(BaseStep[Any]):
    """A step of somebody else, which does something and then fails."""

    name = "somebody_elses"
    progress_weight = 0.1

    def __init__(self, first: Callable[[], object] = lambda: None, error: Any = None) -> None:
        self.first = first
        self.error = error or RuntimeError("the step of somebody else failed")

    def execute(self, context: Any) -> StepResult:
        self.first()
        raise self.error


class HookedUploader:
    """Stores each file as it is, and calls what a test gives in between.

    Args:
        before: Called with the key and its number, from 0, before the file is stored.
        after: Called likewise afterwards.
        on_read: Called with the key, and the bytes read so far, while the file is read.
    """

    def __init__(
        self,
        before: Callable[[str, int], object] = lambda key, number: None,
        after: Callable[[str, int], object] = lambda key, number: None,
        on_read: Callable[[str, int], object] | None = None,
    ) -> None:
        self.before, self.after, self.on_read = before, after, on_read
        self.keys: list[str] = []

    def send(self, storage: Any, file: Any, sending: Any, replacing: Any) -> Any:
        number = len(self.keys)
        self.keys.append(file.key)
        self.before(file.key, number)
        stored = DirectUploader().send(storage, file, self._heard(file, sending), replacing)
        self.after(file.key, number)
        return stored

    def _heard(self, file: Any, sending: Any) -> Any:
        if self.on_read is None:
            return sending
        read, heard = 0, self.on_read

        def on_bytes(count: int) -> None:
            nonlocal read
            read += count
            sending.on_bytes(count)
            heard(file.key, read)

        return replace(sending, on_bytes=on_bytes)


class HookedDiscovery:
    """Finds files as usual, and calls what a test gives once all of them are found."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.then = then

    def find(self, search: Any) -> Iterator[Any]:
        yield from FolderDiscovery().find(search)
        self.then()


@dataclass(frozen=True)
class Tools:
    """What tests use of all this, since they cannot import it."""

    wait_until = staticmethod(wait_until)
    ended = staticmethod(ended)
    entries = staticmethod(entries)
    result = StepResult
    Fail = FailStep
    mib = MIB

    @staticmethod
    def storing(**hooks: Any) -> Edit:
        """Return an edit that calls hooks around each file; see HookedUploader."""
        uploader = HookedUploader(**hooks)
        return lambda registry: registry.replace("upload_files", UploadFilesStep(uploader))

    @staticmethod
    def once_found(then: Callable[[], object]) -> Edit:
        """Return an edit that calls `then` between finding the files and reading them."""
        step = OrganizeFilesStep(HookedDiscovery(then))
        return lambda registry: registry.replace("organize_files", step)

    @staticmethod
    def failing_after(step: str, *arguments: Any) -> Edit:
        """Return an edit that puts a failing step behind `step`; see FailStep."""
        return lambda registry: registry.insert_after(step, FailStep(*arguments))

    @staticmethod
    def edits(*all_of_them: Edit) -> Edit:
        """Return one edit that does them all."""

        def edit(registry: Any) -> None:
            for each in all_of_them:
                each(registry)

        return edit


@pytest.fixture
def tools() -> Tools:
    """What else a test needs."""
    return Tools()


@pytest.fixture
def make_scene(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Scene]:
    """Make a scene, named `TARGET-CATALOGUE`, such as `local-sqlite` or `own-moto-postgres`."""

    def make(name: str) -> Scene:
        where, _, register = name.rpartition("-")
        folder = tmp_path / "work"
        folder.mkdir()
        place: Any = Folder(folder / "target")
        if where != "local":
            server = request.getfixturevalue(where.replace("-", "_"))
            place = Bucket(server, server.bucket())
        catalogue: Any = Sqlite(folder / "catalogue.db")
        if register == "postgres":
            catalogue = Postgres(request.getfixturevalue("postgres_url"))
        scene = Scene(folder, place, catalogue)
        request.addfinalizer(scene.leave)
        scene.source.mkdir()
        # Things of others, which nobody may touch.
        place.put("others/kept.txt", b"somebody else's")
        (folder / "notes.txt").write_text("somebody else's")
        for variable, value in place.environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.chdir(folder)
        return scene

    return make


@pytest.fixture(params=["local-sqlite", "radosgw-sqlite", "moto-postgres"])
def scene(request: pytest.FixtureRequest, make_scene: Callable[..., Scene]) -> Scene:
    """A scene, of each kind; `@pytest.mark.parametrize("scene", [...], indirect=True)` for some."""
    return make_scene(request.param)
