"""What an upload relies on, by its options and its steps."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail import BaseStep, StepFailedError, StepResult
from handrail_upload import OrganizeFilesStep, SourceFile, UploadFilesStep
from handrail_upload.discovery import Found

MIB = 1 << 20


def theirs(shared: Any) -> set[str]:
    """Return the files that uploads have left."""
    return {key for key in shared.files() if not key.startswith("others/")}


def test_what_is_skipped_is_not_relied_on(shared: Any, two: Any) -> None:
    """Whoever accepts anything under a key is not asked when it goes."""
    ann, ben = two
    ann.upload()
    assert ben.upload(if_exists="skip")["skipped_files"] == 12
    assert "12 objects deleted" in ann.rollback()
    assert theirs(shared) == set()


def test_what_has_the_same_size_is_relied_on(shared: Any, two: Any) -> None:
    """It was accepted unread, so it stays whatever it is."""
    ann, ben = two
    ann.upload()
    assert ben.upload(compare="size")["unchanged_files"] == 12
    assert "12 stay" in ann.rollback()
    assert len(theirs(shared)) == 12
    assert "12 objects deleted" in ben.rollback()
    assert theirs(shared) == set()


def test_what_was_sent_in_parts_is_relied_on(shared: Any, two: Any) -> None:
    """Also by a run that would have sent it in other parts."""
    ann, ben = two
    path = ann.source / "large.bin"
    path.write_bytes(os.urandom(MIB) * 11)
    before = shared.everything()
    ann.upload(part_size=5 * MIB)
    assert ben.upload(part_size=8 * MIB)["uploaded_files"] == 0
    assert "13 stay" in ann.rollback()
    assert shared.place.content("large.bin") == path.read_bytes()
    assert "13 objects deleted" in ben.rollback()
    assert shared.everything() == before


def test_what_was_sent_in_parts_comes_back(shared: Any, two: Any, failing: Any) -> None:
    """A copy of it within the storage has another ETag, so its content is compared."""
    ann, ben = two
    path = ann.source / "large.bin"
    path.write_bytes(os.urandom(MIB) * 6)
    ann.upload(part_size=5 * MIB)
    ben.source = ben.folder / "src"
    ben.write({"large.bin": "smaller"})
    ben.edit = failing("upload_files")
    assert ben.fail(if_exists="overwrite").outcome == "rolled_back"
    assert shared.place.content("large.bin") == path.read_bytes()
    assert "13 objects deleted" in ann.rollback()
    assert theirs(shared) == set()


class Packs:
    """Compresses each file, so that its content at the target is not that of the source."""

    def send(self, storage: Any, file: Any, sending: Any, replacing: Any) -> Any:
        packed = Path(f"{file.path}.gz")
        packed.write_bytes(gzip.compress(Path(file.path).read_bytes(), mtime=0))
        found = packed.stat()
        other = replace(file, path=str(packed), size=found.st_size, mtime=found.st_mtime_ns)
        stored = storage.put(other, sending, replacing)
        packed.unlink()
        return stored


def test_what_a_strategy_has_changed_is_undone(shared: Any, two: Any) -> None:
    """The final digests are those of what was stored."""
    ann, _ = two
    before = shared.everything()
    ann.edit = lambda registry: registry.replace("upload_files", UploadFilesStep(Packs()))
    ann.upload()
    assert gzip.decompress(shared.place.content("0.txt")) == b"photo 0"
    assert "12 objects deleted" in ann.rollback()
    assert shared.everything() == before


class FindMore(BaseStep[Any]):
    """A step of somebody else, which has one more file to upload."""

    name = "find_more"
    progress_weight = 0.1

    def execute(self, context: Any) -> StepResult:
        path = Path(context.options.source).parent / "more.txt"
        path.write_text("more")
        found = path.stat()
        more = SourceFile(
            path=str(path),
            name="more.txt",
            key="more.txt",
            unit="more.txt",
            role="file",
            size=found.st_size,
            mtime=found.st_mtime_ns,
        )
        context.use_manifest().add([more])
        return StepResult()


class UploadMore(UploadFilesStep):
    """Uploads what was found since."""

    name = "upload_more"


def twice(registry: Any) -> None:
    registry.insert_after("upload_files", FindMore())
    registry.insert_after("find_more", UploadMore())


def test_two_steps_of_one_run_upload(shared: Any, two: Any, failing: Any) -> None:
    """Each has a claim of its own, and the undo of the run takes back what both have stored."""
    ann, ben = two
    before = shared.everything()
    ann.edit = twice
    ann.upload()
    assert len(theirs(shared)) == 13
    assert sum(key.endswith("/state") for key in shared.own()) == 2
    assert "1 object deleted" in ann.rollback()
    assert shared.everything() == before

    ann.edit = lambda registry: (twice(registry), failing("upload_more")(registry))
    assert ann.fail().outcome == "rolled_back"
    assert shared.everything() == before

    ann.edit = twice
    ann.upload()
    ben.upload()
    assert "12 stay: run 1 on" in ann.rollback(3)
    assert len(theirs(shared)) == 12
    ben.rollback()
    assert shared.everything() == before


def test_replaced_objects_of_two_steps_come_back(shared: Any, two: Any) -> None:
    """The result counts those of both."""
    ann, _ = two
    for key in ("0.txt", "more.txt"):
        shared.place.put(key, b"somebody else's")
    before = shared.everything()
    ann.edit = twice
    assert ann.upload(if_exists="overwrite")["replaced"]["files"] == 2
    ann.rollback()
    assert shared.everything() == before


def test_replaced_objects_of_two_steps_are_discarded(shared: Any, two: Any) -> None:
    """The run is sealed, and no copy is left."""
    ann, _ = two
    for key in ("0.txt", "more.txt"):
        shared.place.put(key, b"somebody else's")
    ann.edit = twice
    ann.upload(if_exists="overwrite", keep_replaced=False)
    assert shared.place.content("0.txt") == b"photo 0"
    assert shared.place.content("more.txt") == b"more"
    assert not [key for key in shared.own() if "/aside/" in key]
    assert ann.row().sealed is not None


class Finds:
    """Finds a file that belongs to the claims of a target."""

    def find(self, search: Any) -> Any:
        path = next(iter(search.sources.values())) / "0.txt"
        found = path.stat()
        yield Found(
            path=str(path),
            name=".handrail-target/claims/epoch",
            source="",
            size=found.st_size,
            mtime=found.st_mtime_ns,
        )


def test_no_file_has_a_key_among_the_claims(shared: Any, two: Any) -> None:
    """Whatever finds it; nothing is claimed then."""
    ann, _ = two
    before = shared.everything()
    ann.edit = lambda registry: registry.replace("organize_files", OrganizeFilesStep(Finds()))
    error = ann.fail()
    assert isinstance(error, StepFailedError)
    assert ".handrail-target/claims/epoch cannot be stored" in str(error)
    assert error.outcome == "rolled_back"
    assert shared.everything() == before


def test_nothing_to_upload_claims_nothing(shared: Any) -> None:
    """There is nothing that anybody could take away."""
    ann = shared.person("ann")
    ann.upload(allow_nothing=True)
    assert shared.own() == set()


@pytest.mark.parametrize("shared", ["folder"], indirect=True)
def test_a_source_that_was_a_target_is_uploaded_without_its_claims(shared: Any, two: Any) -> None:
    """A folder of uploads can be uploaded elsewhere."""
    ann, ben = two
    ann.upload()
    ben.source = Path(shared.place.path)
    ben.target = str(shared.top / "elsewhere")
    ben.upload(hidden=True)
    copied = {path.name for path in (shared.top / "elsewhere").glob("*")}
    assert copied >= {"0.txt", "sub", ".handrail-target"}
    claims = list((shared.top / "elsewhere" / ".handrail-target" / "claims").glob("*/state"))
    assert len(claims) == 1
