"""Uploads of several journals to one target, as people and machines share it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from killing.memory import folder_in_memory

import handrail
from handrail import RuntimeContext, StepFailedError
from handrail.errors import HandrailError
from handrail.sqlite import SqliteJournal
from handrail_storage.claims import FOLDER as OWN
from handrail_upload import DefaultUploadAction, UploadContext
from handrail_upload.storage.objects import ObjectStorage


def _faults() -> Any:
    path = Path(__file__).parents[1] / "faults" / "conftest.py"
    spec = importlib.util.spec_from_file_location("handrail_upload_claim_scenes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


faults = _faults()


@dataclass
class Tape:
    """What a run told."""

    logged: list[tuple[str, str]] = field(default_factory=list)
    progress: list[tuple[float, float, str | None]] = field(default_factory=list)

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        self.logged.append((event, str(data.get("summary", ""))))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.progress.append((current, total, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        """Uploads measure nothing."""

    def said(self, event: str) -> list[str]:
        return [text for name, text in self.logged if name == event]


@dataclass
class Person:
    """Somebody with a journal, a state folder and a catalogue of their own.

    Attributes:
        name: Their name.
        folder: Where all that lies.
        source: What they upload.
        target: Where they upload it to.
        edit: Changes the steps of their uploads.
    """

    name: str
    folder: Path
    source: Path
    target: str
    edit: Callable[[Any], None] = lambda registry: None
    tape: Tape = field(default_factory=Tape)

    @property
    def journal(self) -> Path:
        return self.folder / "runs.db"

    @property
    def catalogue(self) -> Any:
        return faults.Sqlite(self.folder / "catalogue.db")

    @property
    def action(self) -> type[DefaultUploadAction]:
        edit = self.edit

        class Upload(DefaultUploadAction):
            action_name = "upload"

            def setup_steps(self, registry: Any) -> None:
                super().setup_steps(registry)
                edit(registry)

        return Upload

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the source."""
        for name, content in files.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def params(self, **options: Any) -> dict[str, Any]:
        """Return params of an upload, of JSON types."""
        return {
            "source": str(self.source),
            "target": self.target,
            "catalogue": str(self.folder / "catalogue.db"),
            "folder": str(self.folder / "uploads"),
            **options,
        }

    def make(self, **options: Any) -> Any:
        runtime = RuntimeContext(logger=self.tape)
        return self.action(self.params(**options), runtime, packs=())

    def upload(self, **options: Any) -> dict[str, Any]:
        """Upload, and fail the test if that fails."""
        how = {name: options.pop(name) for name in ("on_failure",) if name in options}
        with closing(SqliteJournal(self.journal)) as journal:
            return dict(self.make(**options).run(journal=journal, **how))

    def fail(self, **options: Any) -> HandrailError:
        """Upload in vain; return the error."""
        with pytest.raises((StepFailedError, HandrailError)) as caught:
            self.upload(**options)
        return caught.value

    def rollback(self, number: int = 1) -> str:
        """Undo a run; return what it said about the target."""
        self.tape.logged.clear()
        with closing(SqliteJournal(self.journal)) as journal:
            runtime = RuntimeContext(logger=self.tape)
            handrail.rollback(self.action, number, journal=journal, packs=(), ctx=runtime)
        return "\n".join(self.tape.said("undone"))

    def resume(self, number: int = 1) -> Any:
        with closing(SqliteJournal(self.journal)) as journal:
            return handrail.resume(self.action, number, journal=journal, packs=())

    def row(self, number: int = 1) -> Any:
        with closing(SqliteJournal(self.journal)) as journal:
            return journal.read(number)


@dataclass
class Shared:
    """A target that several people use."""

    place: Any
    top: Path

    def person(self, name: str, source: Path | None = None) -> Person:
        """Return somebody else; their source is their own unless given."""
        folder = self.top / name
        folder.mkdir()
        (folder / "src").mkdir()
        return Person(name, folder, source or folder / "src", self.place.url)

    def _keys(self) -> set[str]:
        found = self.place.objects()
        folders = {key for key, what in found.items() if what == "folder"}
        return {key.removeprefix("data/") for key in found.keys() - folders}

    def files(self) -> set[str]:
        """Return the keys of all objects but those that say who relies on what."""
        return {key for key in self._keys() if not key.startswith(f"{OWN}/")}

    def own(self) -> set[str]:
        """Return the keys of the others."""
        return self._keys() - self.files()

    def everything(self) -> dict[str, Any]:
        """Return all that is there, folders too."""
        found: dict[str, Any] = self.place.objects()
        return found


@dataclass
class WholeFolder(faults.Folder):  # type: ignore[name-defined,misc]
    """A folder of which everything is seen."""

    def objects(self) -> dict[str, Any]:
        paths = self.path.rglob("*") if self.path.exists() else ()
        return {
            str(path.relative_to(self.path)): "folder" if path.is_dir() else path.read_bytes()
            for path in paths
        }


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no machine dies here."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture(params=["folder", "moto"])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shared]:
    """A target in a folder, and in a bucket."""
    monkeypatch.setattr(ObjectStorage, "lag", 0.01)
    place: Any
    if request.param == "folder":
        place = WholeFolder(tmp_path / "target")
    else:
        server = request.getfixturevalue(request.param)
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        place = faults.Bucket(server, server.bucket())
    monkeypatch.chdir(tmp_path)
    used: list[UploadContext] = []
    for name in ("use_manifest", "use_catalogue"):
        monkeypatch.setattr(UploadContext, name, _noting(getattr(UploadContext, name), used))
    yield Shared(place, tmp_path)
    for context in used:
        context.close()  # A run that is kept, or that stops, leaves this to its process.


def _noting(method: Callable[[Any], Any], used: list[UploadContext]) -> Callable[[Any], Any]:
    def call(context: UploadContext) -> Any:
        used.append(context)
        return method(context)

    return call


@pytest.fixture
def two(shared: Shared) -> tuple[Person, Person]:
    """Two people who upload the same files."""
    ann = shared.person("ann")
    ann.write({f"{number}.txt": f"photo {number}" for number in range(8)})
    ann.write({f"sub/deep/{number}.txt": f"deep {number}" for number in range(4)})
    return ann, shared.person("ben", ann.source)


@pytest.fixture
def hooked() -> Callable[..., Callable[[Any], None]]:
    """Return an edit that calls hooks around each file; see `HookedUploader`."""
    edit: Callable[..., Callable[[Any], None]] = faults.Tools.storing
    return edit


@pytest.fixture
def failing() -> Callable[..., Callable[[Any], None]]:
    """Return an edit that puts a failing step behind another one."""
    edit: Callable[..., Callable[[Any], None]] = faults.Tools.failing_after
    return edit
