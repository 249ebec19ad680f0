"""What the tests of a whole upload share: a folder to work in, an upload, and what it told."""

from __future__ import annotations

import hashlib
import inspect
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from handrail import RuntimeContext
from handrail.builtin.cli.dry_run import preview_plan
from handrail.errors import HandrailError
from handrail_upload import DefaultUploadAction, UploadContext
from handrail_upload.catalogue import open_catalogue
from handrail_upload.command import upload as command

SAMPLE = Path(__file__).parents[4] / "examples" / "sample_collection"


@dataclass
class Seen:
    """What a run told: its log, its progress, and its events."""

    logged: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    progress: list[tuple[float, float, str | None]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    previews: dict[str, list[str]] = field(default_factory=dict)

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self.logged.append((event, dict(data), file))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.progress.append((current, total, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        """Uploads measure nothing."""

    def told(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    def data(self, step: str) -> dict[str, Any]:
        """Return the data of the latest result of a step."""
        return [each["data"] for each in self.told("StepFinished") if each["step"] == step][-1]

    def logs(self, event: str) -> list[tuple[str | None, str]]:
        """Return file and summary of each message."""
        return [(file, data["summary"]) for name, data, file in self.logged if name == event]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of this test's own: state and catalogue lie in the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def write(here: Path) -> Callable[..., Path]:
    """Return a function that writes files, by name, into a folder."""

    def _write(files: Mapping[str, str | bytes] | str, folder: str = "src") -> Path:
        if isinstance(files, str):
            files = {name: name for name in files.split()}
        (here / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = here / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return here / folder

    return _write


@pytest.fixture
def make(seen: Seen) -> Callable[..., Any]:
    """Return a function that makes an upload of `src` to `out`, without packs."""

    def _make(action: Any = DefaultUploadAction, /, **params: Any) -> Any:
        source = {} if "sources" in params else {"source": "src"}
        values = {**source, "target": "out", **params}
        return action(values, RuntimeContext(logger=seen), packs=())

    return _make


@pytest.fixture
def upload(make: Callable[..., Any], seen: Seen) -> Callable[..., dict[str, Any]]:
    """Return a function that runs an upload of `src` to `out`."""

    def _upload(*args: Any, **params: Any) -> dict[str, Any]:
        return dict(make(*args, **params).run(observers=[keep(seen)]))

    return _upload


@pytest.fixture
def dry_run(make: Callable[..., Any], seen: Seen) -> Callable[..., dict[str, list[str]]]:
    """Return a function that makes a dry run; it returns the preview of each step."""

    def _dry_run(*args: Any, **params: Any) -> dict[str, list[str]]:
        made = make(*args, **params)
        seen.previews.clear()

        def told(step: str, line: str) -> None:
            seen.previews.setdefault(step, []).append(line)

        made.run_plan(preview_plan(made.plan(), told), observers=[keep(seen)])
        return dict(seen.previews)

    return _dry_run


def keep(seen: Seen) -> Callable[[Any], None]:
    return lambda event: seen.events.append(event.to_dict())


@pytest.fixture
def world(here: Path) -> Callable[[], dict[str, str]]:
    """Return a function that tells what there is in the working folder, with digests."""

    def _world() -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted(here.rglob("*")):
            name = os.fsencode(path.relative_to(here)).decode(errors="backslashreplace")
            if path.is_symlink():
                found[name] = f"-> {os.readlink(path)}"
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                found[name] = "folder" if path.is_dir() else "special"
        return found

    return _world


@pytest.fixture
def stored(here: Path) -> Callable[..., list[str]]:
    """Return a function that lists the files at the target, without the claims of runs."""

    def _stored(target: str = "out") -> list[str]:
        paths = [path for path in (here / target).rglob("*") if not path.is_dir()]
        names = sorted(path.relative_to(here / target).as_posix() for path in paths)
        return [name for name in names if not name.startswith(".handrail-target/")]

    return _stored


@pytest.fixture
def units() -> Callable[..., dict[str, tuple[dict[str, Any], list[str]]]]:
    """Return a function that reads a collection: metadata and locations of each unit."""

    def _units(catalogue: str = "out.db", collection: str = "out") -> dict[str, Any]:
        with open_catalogue(catalogue) as opened:
            return {
                each.name: (dict(each.metadata), [file.location for file in each.files])
                for each in opened.units(collection)
            }

    return _units


@pytest.fixture
def context(seen: Seen) -> Iterator[UploadContext]:
    """Return the context of an upload of `src` to `out`, for a step by itself."""
    made = UploadContext(
        runtime_ctx=RuntimeContext(logger=seen), params={"source": "src", "target": "out"}
    )
    yield made
    made.close()


@pytest.fixture
def handrail(here: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `handrail` in the working folder, with this pack alone."""

    def _handrail(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HANDRAIL_", "FORCE_"))}
        environment = {
            **kept,
            "HANDRAIL_ONLY_PACKS": "handrail-upload",
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "handrail", *map(str, arguments)],
            cwd=here,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return _handrail


@pytest.fixture
def sample(here: Path) -> Path:
    """Return a copy of the sample collection: pictures and masks are in `files`."""
    folder = here / "sample"
    for path in sorted(
        [*SAMPLE.glob("files/*/*.png"), *SAMPLE.glob("*.csv"), *SAMPLE.glob("*.toml")]
    ):
        copy = folder / path.relative_to(SAMPLE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def run() -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command: exit code, output, and what went to stderr."""

    def _run(*arguments: str) -> tuple[int, str, str]:
        # From click 8.2 on the two are always kept apart.
        mixes = "mix_stderr" in inspect.signature(CliRunner).parameters
        runner = CliRunner(mix_stderr=False) if mixes else CliRunner()
        done = runner.invoke(command, list(arguments), standalone_mode=False)
        if isinstance(done.exception, (HandrailError, click.ClickException)):
            raise done.exception
        assert done.exception is None, done.exception
        return int(done.return_value or 0), done.stdout, done.stderr

    return _run


@pytest.fixture
def uploaded(write: Callable[..., Path], upload: Callable[..., Any]) -> str:
    """Upload three files, and return the run."""
    write({"a": "aaa", "b": "b", "sub/c": "c" * 2000})
    return str(upload()["run"])


@pytest.fixture
def damage() -> Callable[[Path], None]:
    """Return a function that destroys the page of a manifest at which its files begin."""

    def _damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            pages = dict(db.execute("SELECT name, rootpage FROM sqlite_schema").fetchall())
            (size,) = db.execute("PRAGMA page_size").fetchone()
        with path.open("r+b") as file:
            file.seek((pages["file"] - 1) * size)
            file.write(b"\xff" * size)

    return _damage
