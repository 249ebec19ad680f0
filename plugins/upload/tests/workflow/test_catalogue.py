"""The catalogue of an upload: which one it is, and an upload without any."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from handrail import BaseStep, RuntimeContext, StepResult, resume
from handrail.errors import ParamsError, StepFailedError
from handrail.sqlite import SqliteJournal
from handrail_upload import DefaultUploadAction, UploadContext, UploadParams

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("params", "shown", "address"),
    [
        ({}, "out.db", "{here}/out.db"),
        ({"collection": "a/b"}, "out.db", "{here}/out.db"),
        ({"specification": "gone.toml"}, "out.db", "{here}/out.db"),
        ({"target": "./deep/store/"}, "store.db", "{here}/store.db"),
        ({"target": "/srv/.store"}, "store.db", "{here}/store.db"),
        ({"target": "."}, "upload.db", "{here}/upload.db"),
        ({"target": "/"}, "upload.db", "{here}/upload.db"),
        ({"target": os.fsdecode(b"o\xff\n")}, "o%FF%0A.db", "{here}/o%FF%0A.db"),
        ({"target": "s3://acme"}, "acme.db", "{here}/acme.db"),
        ({"target": "s3://acme/photos/11/"}, "acme-photos-11.db", "{here}/acme-photos-11.db"),
        (
            {"target": f"gs://acme/{'x' * 900}"},
            f"acme-{'x' * 45}.db",
            f"{{here}}/acme-{'x' * 45}.db",
        ),
        ({"target": "memory://"}, "upload.db", "{here}/upload.db"),
        ({"catalogue": "x/c.db"}, "x/c.db", "{here}/x/c.db"),
        ({"catalogue": "~/c.db"}, "~/c.db", "{home}/c.db"),
        ({"catalogue": "postgresql://h/d"}, "postgresql://h/d", "postgresql://h/d"),
        ({"catalogue": None}, "out.db", "{here}/out.db"),
        ({"catalogue": False}, "", ""),
    ],
)
def test_address(here: Path, seen: Any, params: dict[str, Any], shown: str, address: str) -> None:
    """It is what was given, or is named after the target, also before any step."""
    values = {"source": "src", "target": "out", **params}
    made = UploadContext(runtime_ctx=RuntimeContext(logger=seen), params=values)
    assert made.catalogue_url == shown
    assert made.catalogue_address == address.format(here=here, home=Path.home())


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("out", "out"),
        ("./x/../out/", "out"),
        ("{here}/out", "{here}/out"),
        ("memory://a/b", "memory://a/b"),
    ],
)
def test_a_source_that_is_renamed_goes_on(
    write: Callable[..., Path],
    upload: Callable[..., Any],
    units: Callable[..., Any],
    here: Path,
    target: str,
    name: str,
) -> None:
    """In the same collection of the same catalogue: both have the name of the target."""
    target, name = target.format(here=here), name.format(here=here)
    file = "a-b.db" if target.startswith("memory") else "out.db"
    write("a b", "day-1")
    upload(source="day-1", target=target)
    os.rename("day-1", "day-2")
    assert upload(source="day-2", target=target)["data_units"] == 0
    assert list(units(file, name)) == ["a", "b"]


@pytest.mark.parametrize(
    "way", [("--no-catalogue",), ("-p", "catalogue=false"), ("--params", "p.toml")]
)
def test_an_upload_without_one(
    write: Callable[..., Path], handrail: Run, here: Path, way: tuple[str, ...]
) -> None:
    """Nothing of a catalogue is made; the upload can be verified and undone."""
    write("a b")
    (here / "p.toml").write_text("catalogue = false\n")
    handrail("run", "upload", "src", "out", *way)
    assert sorted(os.listdir(here)) == [".handrail", "out", "p.toml", "src"]
    assert handrail("upload", "verify").returncode == 0
    (here / "out" / "a").unlink()
    assert handrail("upload", "verify").returncode == 1
    handrail("rollback", "1", "--yes")
    assert sorted(os.listdir(here)) == [".handrail", "p.toml", "src"]


def test_what_is_missing_is_deleted_without_one(
    write: Callable[..., Path], upload: Callable[..., Any], here: Path
) -> None:
    """As far as earlier uploads without one have put it there."""
    options = {"catalogue": False, "delete_missing": True, "max_delete": "100%"}
    write("a b")
    upload(**options)
    (here / "src" / "b").unlink()
    (here / "out" / "c").write_text("theirs")
    assert upload(**options)["deleted_files"] == 1
    assert sorted(path.name for path in (here / "out").iterdir() if path.is_file()) == ["a", "c"]


def test_rows_leave_with_their_files(
    write: Callable[..., Path], upload: Callable[..., Any], units: Callable[..., Any], here: Path
) -> None:
    """Of what is deleted at the target."""
    write("a b")
    upload()
    (here / "src" / "b").unlink()
    upload(delete_missing=True, max_delete="100%")
    assert list(units()) == ["a"]


def test_its_step_is_skipped_and_says_why(
    write: Callable[..., Path], make: Callable[..., Any], seen: Any
) -> None:
    """It stays in the plan, and steps of packs beside it see the data units."""
    units = []

    class Look(BaseStep[UploadContext]):
        name = "look"
        progress_weight = 0.01

        def execute(self, context: UploadContext) -> StepResult:
            units.extend(unit["name"] for unit in context.data_units)
            return StepResult()

    class Upload(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.insert_after("generate_data_units", Look())

    write("a b")
    result = make(Upload, catalogue=False).run()
    assert units == ["a", "b"]
    assert "catalogue" not in result
    assert seen.logs("unregistered") == [(None, "--no-catalogue: nothing is registered")]


def test_a_resumed_upload_shows_its_units_without_one(
    write: Callable[..., Path], here: Path
) -> None:
    """A step of a pack that failed sees them in the next process too."""
    seen: list[list[str]] = []

    class Look(BaseStep[UploadContext]):
        name = "look"
        progress_weight = 0.01

        def execute(self, context: UploadContext) -> StepResult:
            seen.append([unit["name"] for unit in context.data_units])
            return StepResult(success=len(seen) > 1, error="not yet")

    class Upload(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.insert_after("generate_data_units", Look())

    write("a b")
    params = {"source": "src", "target": "out", "catalogue": False}
    with closing(SqliteJournal(here / "journal.db")) as journal:
        with pytest.raises(StepFailedError):
            Upload(params, RuntimeContext(), packs=()).run(journal=journal, on_failure="keep")
        resume(Upload, 1, journal=journal, ctx=RuntimeContext(), packs=())
    assert seen == [["a", "b"], ["a", "b"]]


def test_a_dry_run_without_one(write: Callable[..., Path], dry_run: Callable[..., Any]) -> None:
    """It says that nothing would be registered."""
    write("a")
    told = dry_run(catalogue=False)
    assert told["generate_data_units"] == ["--no-catalogue: nothing is registered"]
    assert not any("catalogue" in line for line in told["initialize"])


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"catalogue": False, "collection": "x"}, "give one of them"),
        ({"catalogue": 7}, "give a file or a postgresql:// URL, or false for no catalogue"),
        ({"catalogue": []}, "give a file or a postgresql:// URL, or false for no catalogue"),
    ],
)
def test_what_contradicts_itself_or_is_no_catalogue(params: dict[str, Any], told: str) -> None:
    """One message, before anything is done."""
    with pytest.raises(ParamsError) as caught:
        DefaultUploadAction({"source": "src", "target": "out", **params})
    assert str(caught.value).count("\n") == 1
    assert told in str(caught.value)


def test_words_that_turn_it_off_or_on() -> None:
    """As --no-catalogue and --catalogue alone are given; a file of that name has a path."""
    words = {"false": False, "FALSE": False, "none": False, "true": True, "./true": "./true"}
    unset = {None: True}  # As older journals have it.
    for word, meant in (words | unset).items():
        params = {"source": "src", "target": "out", "catalogue": word}
        assert UploadParams.model_validate(params).catalogue == meant
