"""--delete-missing: what the source no longer has goes from the target, and comes back."""

from __future__ import annotations

import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from handrail import RuntimeContext, StepFailedError, rollback
from handrail.errors import ParamsError
from handrail.sqlite import SqliteJournal
from handrail_storage.claims import Claims, claims_at
from handrail_upload import DefaultUploadAction, OrganizeFilesStep, UploadParams
from handrail_upload.discovery import FolderDiscovery, Found, Search
from handrail_upload.storage import open_storage

HOST = socket.gethostname()
GONE = {"delete_missing": True, "max_delete": "100%"}


@pytest.fixture
def ten(write: Callable[..., Path], upload: Callable[..., Any]) -> Path:
    """The source of ten files, which are uploaded."""
    source = write({f"{n}.txt": f"text {n}" for n in range(10)})
    upload()
    return source


@pytest.fixture
def undone(here: Path) -> Callable[..., Any]:
    """Return a function that uploads with a journal, and returns one that undoes that."""

    def _upload(**params: Any) -> Callable[[], None]:
        values = {"source": "src", "target": "out", **params}
        path = here / f"runs-{uuid.uuid4()}.db"
        with closing(SqliteJournal(path)) as journal:
            DefaultUploadAction(values, RuntimeContext(), packs=()).run(journal=journal)

        def undo() -> None:
            with closing(SqliteJournal(path)) as journal:
                rollback(DefaultUploadAction, 1, journal=journal, packs=())

        return undo

    return _upload


def listed(run: str) -> list[str]:
    with closing(sqlite3.connect(f".handrail/uploads/{run}.db")) as database:
        return [key for (key,) in database.execute("SELECT key FROM deleted ORDER BY key")]


def test_what_the_source_no_longer_has_is_deleted_and_told(
    ten: Path,
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    units: Callable[..., Any],
) -> None:
    (ten / "3.txt").unlink()
    (ten / "new").write_text("new")
    done = upload(delete_missing=True)
    assert (done["deleted_files"], done["uploaded_files"], done["unchanged_files"]) == (1, 1, 9)
    assert "1 new, 9 unchanged, 1 deleted" in done["summary"]
    assert stored() == [*(f"{n}.txt" for n in range(10) if n != 3), "new"]
    assert listed(done["run"]) == ["3.txt"]
    assert set(units()) == set(stored())


def test_without_the_option_nothing_is_deleted(
    ten: Path, upload: Callable[..., Any], stored: Callable[..., list[str]]
) -> None:
    (ten / "3.txt").unlink()
    assert upload()["deleted_files"] == 0
    assert len(stored()) == 10


def test_a_dry_run_lists_what_would_be_deleted_and_changes_nothing(
    ten: Path, dry_run: Callable[..., Any], world: Callable[[], Any]
) -> None:
    (ten / "3.txt").unlink()
    before = world()
    lines = dry_run(delete_missing=True)["upload_files"]
    assert "delete     3.txt  6 B" in lines
    assert lines[-1] == "0 files to send, 0 B, 1 to delete"
    assert world() == before


def test_more_than_the_limit_is_refused_before_anything_is_sent(
    ten: Path, upload: Callable[..., Any], world: Callable[[], Any], dry_run: Callable[..., Any]
) -> None:
    for n in (1, 2):
        (ten / f"{n}.txt").unlink()
    (ten / "new").write_text("new")
    before = world()
    with pytest.raises(StepFailedError, match="2 files of 10") as refused:
        upload(delete_missing=True)
    assert "--max-delete 2" in str(getattr(refused.value.__cause__, "ways_out", ""))
    with pytest.raises(StepFailedError):
        dry_run(delete_missing=True, max_delete=1)
    assert world() == before
    assert upload(delete_missing=True, max_delete=2)["deleted_files"] == 2


@pytest.mark.parametrize("wrong", ["-1", "101%", "x", "", "1.5", "10 %", None])
def test_the_limit_is_a_number_or_a_share(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="max_delete"):
        UploadParams(source=Path("src"), target="out", max_delete=wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": ["3.txt"]},
        {"include": ["1.txt"]},
        {"limit": 2},
        {"files_from": "names"},
        {"on_invalid": "skip"},
        {},
    ],
    ids=["excluded", "not-included", "beyond-a-limit", "not-listed", "invalid", "hidden"],
)
def test_a_file_that_is_there_but_is_kept_out_is_not_missing(
    ten: Path,
    here: Path,
    upload: Callable[..., Any],
    stored: Callable[..., list[str]],
    options: Mapping[str, Any],
) -> None:
    (here / "names").write_text("1.txt\n")
    if "on_invalid" in options:
        (ten / "3.txt").write_text("")
    if not options:
        (ten / ".4.txt").write_text("hidden")
        upload(hidden=True)
    count = len(stored())
    assert upload(**GONE, **options)["deleted_files"] == 0
    assert len(stored()) == count


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter all folders")
def test_below_a_folder_that_cannot_be_read_nothing_is_missing(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., list[str]]
) -> None:
    source = write({"a": "a", "sub/b": "b"})
    upload()
    (source / "sub").chmod(0)
    try:
        assert upload(**GONE, on_invalid="skip")["deleted_files"] == 0
    finally:
        (source / "sub").chmod(0o755)
    assert stored() == ["a", "sub/b"]


def test_odd_names_that_are_there_are_not_missing(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., list[str]]
) -> None:
    """A name with control characters, or of bytes that are no text, has another key."""
    names = ["new\nline", "escape\x1b", os.fsdecode(b"latin \xe9"), "per%0Acent", "nothing"]
    source = write({name: str(number) for number, name in enumerate(names)})
    upload()
    (source / "nothing").unlink()
    assert upload(**GONE, exclude=["/*", "!per*"])["deleted_files"] == 1
    (source / names[0]).unlink()
    assert upload(**GONE)["deleted_files"] == 1
    assert stored() == ["escape%1B", "latin %E9", "per%0Acent"]


def test_files_of_others_and_of_other_collections_stay(
    ten: Path, write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """Two sources have one target, and a collection each; what came from the other one stays."""
    write({"3.txt": "text 3", "theirs": "x"}, "other")
    upload(source="other", collection="other")
    write({"foreign": "y"}, "out")
    (ten / "3.txt").unlink()
    (ten / "4.txt").unlink()
    done = upload(**GONE)
    assert done["deleted_files"] == 1
    assert stored() == sorted([*(f"{n}.txt" for n in range(10) if n != 4), "theirs", "foreign"])


def test_folders_that_feed_one_catalogue_know_of_their_own_files_only(
    ten: Path, write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """Unless the collection has a name: then they keep it up to date together."""
    write({"theirs": "x"}, "other")
    upload(source="other", catalogue="src.db", collection="src")
    write({"more": "y"}, "more")
    upload(source="more", catalogue="src.db")
    assert upload(**GONE, catalogue="src.db")["deleted_files"] == 0
    named = {"catalogue": "src.db", "collection": "src"}
    assert upload(source="more", **GONE, **named)["deleted_files"] == 1
    assert stored() == sorted([*(f"{n}.txt" for n in range(10)), "more"])


def test_who_relies_on_what_stays_is_told(
    ten: Path, write: Callable[..., Path], upload: Callable[..., Any], seen: Any
) -> None:
    write({"3.txt": "text 3"}, "other")
    run = upload(source="other", collection="other")["run"]
    (ten / "3.txt").unlink()
    assert upload(**GONE)["deleted_files"] == 0
    assert [text for _, text in seen.logs("stays")] == [
        f"1 stays: run {run} on {HOST} relies on it"
    ]


def test_a_file_that_was_changed_at_the_target_stays(
    ten: Path, upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    (ten / "3.txt").unlink()
    Path("out", "3.txt").write_text("edited there")
    assert upload(**GONE)["deleted_files"] == 0
    assert "3.txt" in stored()


def test_roles_have_their_own_folders(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any], here: Path
) -> None:
    (here / "spec.toml").write_text(
        'name = "pairs"\n[files.image]\nrequired = true\n[files.mask]\nrequired = false\n'
    )
    write({"1.png": "a", "2.png": "b"}, "images")
    write({"1.png": "c", "2.png": "d"}, "masks")
    sources = {"image": "images", "mask": "masks"}
    upload(sources=sources, specification="spec.toml")
    Path("masks", "2.png").unlink()
    assert upload(sources=sources, specification="spec.toml", **GONE)["deleted_files"] == 1
    assert stored() == ["image/1.png", "image/2.png", "mask/1.png"]


def test_another_way_to_find_files_is_refused(
    ten: Path, upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    class Another:
        def find(self, search: Search) -> Iterator[Found]:
            yield from (each for each in FolderDiscovery().find(search) if isinstance(each, Found))

    class Upload(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.replace("organize_files", OrganizeFilesStep(Another()))

    with pytest.raises(StepFailedError, match="in another way"):
        upload(Upload, delete_missing=True)
    assert len(stored()) == 10


def test_an_undo_puts_back_what_was_deleted(
    ten: Path,
    undone: Callable[..., Any],
    stored: Callable[..., Any],
    units: Callable[..., Any],
    here: Path,
) -> None:
    mode = Path("out", "3.txt").stat().st_mode
    (ten / "3.txt").unlink()
    undo = undone(delete_missing=True)
    assert "3.txt" not in stored()
    undo()
    assert set(units()) == set(stored())
    assert Path("out", "3.txt").read_text() == "text 3"
    assert Path("out", "3.txt").stat().st_mode == mode
    assert not list(here.glob("out/.handrail-target/aside/**/*.txt"))


def test_a_folder_that_is_empty_then_goes_and_comes_back(
    write: Callable[..., Path], upload: Callable[..., Any], undone: Callable[..., Any]
) -> None:
    source = write({"a": "a", "sub/deep/b": "b"})
    upload()
    (source / "sub/deep/b").unlink()
    undo = undone(**GONE)
    assert not Path("out/sub").exists()
    undo()
    assert Path("out/sub/deep/b").read_text() == "b"


def test_another_machine_undoes_it_from_the_target_alone(
    ten: Path, undone: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    (ten / "3.txt").unlink()
    undone(delete_missing=True)
    store = open_storage(str(Path("out").absolute()))
    state = claims_at(store)[0][-1]
    undoing = Claims(store, state.claimant).free(waiting=lambda left: None, take_over=True)
    assert undoing is not None
    assert undoing.run().restored == 1
    assert len(stored()) == 10


def test_what_was_deleted_is_discarded_if_it_is_not_to_be_kept(
    ten: Path, upload: Callable[..., Any], here: Path
) -> None:
    (ten / "3.txt").unlink()
    done = upload(delete_missing=True, keep_replaced=False)
    assert done["replaced"] == {"files": 1, "bytes": 6, "kept": False}
    assert not list(here.glob("out/.handrail-target/aside/**/*.txt"))


def test_a_file_that_comes_back_is_new_and_may_go_again(
    ten: Path,
    upload: Callable[..., Any],
    undone: Callable[..., Any],
    stored: Callable[..., Any],
    units: Callable[..., Any],
) -> None:
    """Whatever is undone first, the last upload that stays has the last word."""
    (ten / "3.txt").unlink()
    first = undone(delete_missing=True)
    (ten / "3.txt").write_text("again")
    assert upload()["uploaded_files"] == 1
    (ten / "3.txt").unlink()
    second = undone(delete_missing=True)
    first()
    assert "3.txt" not in stored()
    second()
    assert Path("out", "3.txt").read_text() == "again"
    assert set(units()) == set(stored())


def test_an_empty_source_deletes_nothing_by_default(
    ten: Path, upload: Callable[..., Any], stored: Callable[..., Any], units: Callable[..., Any]
) -> None:
    """A disk that is not mounted looks like that."""
    for path in ten.iterdir():
        path.unlink()
    with pytest.raises(ParamsError):
        upload(delete_missing=True)
    with pytest.raises(StepFailedError, match="10 files of 10"):
        upload(delete_missing=True, allow_nothing=True)
    assert len(stored()) == 10
    assert upload(**GONE, allow_nothing=True)["deleted_files"] == 10
    assert (stored(), units()) == ([], {})


def test_all_of_what_several_uploads_have_sent_may_be_deleted(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """None of them has sent as much as is deleted."""
    source = write("a/1 a/2 b/1 b/2")
    upload(include=["a/"])
    upload(include=["b/"])
    for path in source.rglob("?/?"):
        path.unlink()
    with pytest.raises(StepFailedError, match="4 files of 4"):
        upload(allow_nothing=True, delete_missing=True)
    assert upload(allow_nothing=True, **GONE)["deleted_files"] == 4
    assert stored() == []


def test_a_file_in_whose_place_a_folder_is_is_missing(
    ten: Path, upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    (ten / "3.txt").unlink()
    (ten / "3.txt").mkdir()
    assert upload(delete_missing=True)["deleted_files"] == 1
    assert "3.txt" not in stored()


def test_verify_tells_what_is_there_again(
    ten: Path, upload: Callable[..., Any], run: Callable[..., Any]
) -> None:
    (ten / "3.txt").unlink()
    upload(delete_missing=True)
    assert run("verify")[0] == 0
    Path("out", "3.txt").write_text("again")
    code, told, _ = run("verify")
    assert code == 1
    assert "  target     3.txt  it was deleted, and is there again" in told.splitlines()


def test_a_share_is_one_of_what_is_still_there(
    write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """However much earlier uploads had sent."""
    source = write(" ".join(f"{n}" for n in range(40)))
    upload()
    for n in range(4, 40):
        (source / f"{n}").unlink()
    upload(**GONE)
    (source / "0").unlink()
    with pytest.raises(StepFailedError, match="1 file of 4"):
        upload(delete_missing=True)
    assert len(stored()) == 4


def test_below_a_link_that_leads_nowhere_nothing_is_missing(
    ten: Path, write: Callable[..., Path], upload: Callable[..., Any], stored: Callable[..., Any]
) -> None:
    """Its disk may not be mounted; where it leads somewhere, what is gone there is missing."""
    disk = write("x sub/y", "disk")
    (ten / "link").symlink_to(disk)
    upload(follow_links=True)
    (disk / "x").unlink()
    disk.rename("elsewhere")
    assert upload(follow_links=True, **GONE)["deleted_files"] == 0
    Path("elsewhere").rename(disk)
    assert upload(follow_links=True, **GONE)["deleted_files"] == 1
    assert "link/sub/y" in stored()
