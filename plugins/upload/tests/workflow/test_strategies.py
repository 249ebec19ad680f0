"""The strategies of the steps, each swapped by itself; None is what the upload does anyway."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from handrail import Around, Run, StepFailedError, StepRegistry, StepWrapper, Undo, step
from handrail_upload import (
    DefaultUploadAction,
    FolderDiscovery,
    OrganizeFilesStep,
    ProcessMetadataStep,
    SourceFile,
    Specification,
    UploadFilesStep,
    ValidateFilesStep,
)
from handrail_upload.discovery import Found, LeftAlone, Search
from handrail_upload.metadata import Row
from handrail_upload.uploader import DirectUploader
from handrail_upload.validation import FileValidation


def swapped(name: str, made: Any) -> type[DefaultUploadAction]:
    """Return the default upload with another step in the place of `name`."""

    class Swapped(DefaultUploadAction):
        def setup_steps(self, registry: StepRegistry[Any]) -> None:
            super().setup_steps(registry)
            registry.replace(name, made)

    return Swapped


@dataclass(frozen=True)
class FixedList:
    """Finds what it was given."""

    names: tuple[str, ...]

    def find(self, search: Search) -> Iterator[Found | LeftAlone]:
        for role, folder in search.sources.items():
            for name in self.names:
                path = folder / name
                if not path.exists():
                    yield LeftAlone(kind="unreadable", name=name, why="it is not there")
                    continue
                stat = path.stat()
                yield Found(
                    path=str(path),
                    name=name,
                    source=role,
                    size=stat.st_size,
                    mtime=stat.st_mtime_ns,
                )


class NoCapitals:
    """Refuses names with capitals."""

    def problems(self, file: SourceFile, specification: Specification | None) -> Iterator[str]:
        if file.name != file.name.lower():
            yield f"{file.name} has capitals"
            yield "which nobody wants"


class FromDict:
    """Knows everything already."""

    def rows(self, path: Path) -> Iterator[Row]:
        known = {"a": {"n": 1, "tags": ["x", {"y": None}]}, "b": {"n": 2}}
        for line, (name, values) in enumerate(known.items(), 1):
            yield Row(name=name, values=values, line=line)


class Compressed:
    """Stores each file compressed, under its key."""

    def send(self, storage: Any, file: SourceFile, sending: Any, replacing: Any) -> Any:
        with tempfile.NamedTemporaryFile() as packed:
            packed.write(gzip.compress(Path(file.path).read_bytes(), mtime=0))
            packed.flush()
            stat = os.stat(packed.name)
            changed = replace(file, path=packed.name, size=stat.st_size, mtime=stat.st_mtime_ns)
            return storage.put(changed, sending, replacing)


class Again(StepWrapper[Any]):
    """Makes a second attempt, after the first one was undone."""

    def around(self, context: Any) -> Around:
        try:
            return (yield Run())
        except ConnectionError:
            yield Undo()
        return (yield Run())


class FailsOnce:
    """Fails for one file, the first time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 1

    def send(self, storage: Any, file: SourceFile, sending: Any, replacing: Any) -> Any:
        if file.name == self.name and self.failures:
            self.failures -= 1
            raise ConnectionError("for a moment")
        return storage.put(file, sending, replacing)


@pytest.mark.parametrize(
    "made",
    [
        OrganizeFilesStep(FixedList(("b", "sub/c", "none"))),
        OrganizeFilesStep(discovery=FixedList(("b", "sub/c", "none"))),
    ],
)
def test_discovery(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., Any],
    seen: Any,
    made: OrganizeFilesStep,
) -> None:
    """Only what the strategy finds is uploaded; what it could not have is a problem."""
    write("a b sub/c")
    upload(swapped("organize_files", made), on_invalid="skip")
    assert stored() == ["b", "sub/c"]
    assert seen.logs("invalid_file") == [("none", "it is not there")]


def test_validation(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any], seen: Any
) -> None:
    """What the strategy says is wrong with a file is told as it says it, in one line."""
    write({"a": "", "B": "b"})
    action = swapped("validate_files", ValidateFilesStep(NoCapitals()))
    with pytest.raises(StepFailedError, match="B: has capitals; which nobody wants"):
        upload(action)
    upload(action, on_invalid="skip")
    # It replaces the default altogether: an empty file is no problem of this strategy.
    assert stored() == ["a"]


def test_metadata(
    write: Callable[..., Path], here: Path, upload: Callable[..., Any], units: Callable[..., Any]
) -> None:
    """What the strategy knows becomes the metadata of units; the path is its own affair."""
    write("a b c")
    upload(swapped("process_metadata", ProcessMetadataStep(FromDict())), metadata_file="nothing")
    assert {name: metadata for name, (metadata, _) in units().items()} == {
        "a": {"n": 1, "tags": ["x", {"y": None}]},
        "b": {"n": 2},
        "c": {},
    }


def test_uploader(
    write: Callable[..., Path],
    here: Path,
    upload: Callable[..., Any],
    seen: Any,
    handrail: Callable[..., Any],
) -> None:
    """What a strategy has stored is what is listed, registered and verified."""
    write({"a": "a" * 5000, "b": "b" * 9000})
    result = upload(swapped("upload_files", UploadFilesStep(Compressed())))
    assert gzip.decompress((here / "out" / "a").read_bytes()) == b"a" * 5000
    assert result["uploaded_files"] == 2
    done = handrail("upload", "verify", "--checksum")
    assert (done.returncode, done.stderr) == (0, "")
    size = sum(path.stat().st_size for path in (here / "out").glob("[!.]*"))
    assert f"2 files, {size} B · content read · all as it was uploaded" in done.stdout
    assert seen.progress[-3:-1] == [(2, 2, "files"), (14000, 14000, "bytes")]


def test_the_defaults(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """None and the default strategy are the same."""
    write("a sub/b")
    for made in (
        OrganizeFilesStep(None),
        OrganizeFilesStep(FolderDiscovery()),
        ValidateFilesStep(None),
        ValidateFilesStep(FileValidation()),
        ProcessMetadataStep(None),
        UploadFilesStep(None),
        UploadFilesStep(DirectUploader()),
    ):
        target = f"out-{type(made).__name__}"
        upload(swapped(made.name, made), target=target, if_exists="same")
        assert stored(target) == ["a", "sub/b"]


@pytest.mark.parametrize("name", ["0000", "0299", "sub/x"])
def test_another_attempt(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    stored: Callable[..., Any],
    units: Callable[..., Any],
    name: str,
) -> None:
    """A step that is tried again sends everything again that the undo between has taken away."""
    write({f"{n:04}": str(n) for n in range(300)} | {"sub/x": "x"})
    made = Again(UploadFilesStep(FailsOnce(name)))
    result = upload(swapped("upload_files", made))
    assert result["uploaded_files"] == 301
    assert len(stored()) == 301
    assert len(units()) == 301


def test_another_attempt_in_vain(
    write: Callable[..., Path], upload: Callable[..., Any], world: Callable[[], Any]
) -> None:
    """When a later step fails, what the second attempt has made is taken back, folders too."""
    write({f"sub/{n:04}": str(n) for n in range(300)})
    before = world()

    @step(name="refuse")
    def refuse(context: Any) -> None:
        raise PermissionError("no")

    retried = Again(UploadFilesStep(FailsOnce("sub/0299")))

    class Refused(swapped("upload_files", retried)):
        def setup_steps(self, registry: StepRegistry[Any]) -> None:
            super().setup_steps(registry)
            registry.insert_after("upload_files", refuse)

    with pytest.raises(StepFailedError, match="failed: no"):
        upload(Refused)
    assert world() == before
