"""The files cache: what is as it was at the last upload is not read again, and nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail import StepFailedError
from handrail.errors import HandrailError
from handrail_storage import side_file
from handrail_upload import Manifest, UploadFilesStep, reading
from handrail_upload.action import DefaultUploadAction
from handrail_upload.manifest import SENT, UNCHANGED, SourceFile, files_cache
from handrail_upload.manifest import manifest as manifest_module
from handrail_upload.uploader import DirectUploader

Upload = Callable[..., dict[str, Any]]
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def grain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let also files be known that were written just now."""
    monkeypatch.setattr(files_cache, "GRAIN", -(10**9))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return a function that tells which files of the source were read since its last call."""
    names: list[str] = []
    opened = reading._open

    def counting(file: SourceFile) -> int:
        names.append(file.name)
        return opened(file)

    monkeypatch.setattr(reading, "_open", counting)

    def _read() -> list[str]:
        found = sorted(names)
        names.clear()
        return found

    return _read


def _later(path: Path, change: Callable[[], object]) -> None:
    """Change a file so that its status change time is another; clocks tick every few ms."""
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        change()


@pytest.mark.parametrize("if_exists", ["same", "overwrite"])
def test_nothing_is_read_twice(
    write: Write, upload: Upload, read: Callable[[], list[str]], if_exists: str
) -> None:
    """Unchanged files are read for the first upload, and for no other one."""
    write("a b sub/c")
    upload(if_exists=if_exists)
    assert read() == ["a", "b", "sub/c"]
    for _ in range(2):
        assert upload(if_exists=if_exists)["unchanged_files"] == 3
        assert read() == []
    assert upload(if_exists=if_exists, checksum=True)["unchanged_files"] == 3
    assert read() == ["a", "b", "sub/c"]


def test_all_files_are_not_looked_at_for_each_page_of_them(
    write: Write, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file of each page differs, what is said of all files grows not with the pages."""
    said: list[str] = []
    begin = side_file.SideFile.__init__

    def listening(self: Any, *given: Any, **options: Any) -> None:
        begin(self, *given, **options)
        self._db.set_trace_callback(said.append)

    monkeypatch.setattr(side_file.SideFile, "__init__", listening)
    monkeypatch.setattr(manifest_module, "PAGE", 2)
    counts: list[int] = []
    for pages in (2, 8):
        names = [f"{number:02}" for number in range(2 * pages)]
        write(" ".join(names))
        upload(if_exists="overwrite")
        write(dict.fromkeys(names[::2], f"changed {pages}"))
        said.clear()
        assert upload(if_exists="overwrite")["unchanged_files"] == pages
        counts.append(sum("GROUP BY state" in each for each in said))
    assert counts[0] == counts[1] > 0


def test_what_was_found_equal_is_known_too(
    write: Write, upload: Upload, read: Callable[[], list[str]], here: Path
) -> None:
    """Where another machine has uploaded the files, they are read once more, and then known."""
    write("a b")
    upload()
    shutil.rmtree(here / ".handrail")
    read()
    assert upload()["unchanged_files"] == 2
    assert read() == ["a", "b"]
    assert upload()["unchanged_files"] == 2
    assert read() == []


def _write_again(path: Path) -> None:
    """Write other content of equal size, and set the old time."""
    times = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _exchange(path: Path) -> None:
    """Put another file of equal size and time in its place."""
    other = path.with_name("other")
    shutil.copy2(path, other)
    os.replace(other, path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write_again, id="content, with the old time"),
        pytest.param(_exchange, id="another file, with the old time"),
        pytest.param(lambda path: path.chmod(0o600), id="mode"),
        pytest.param(lambda path: os.utime(path, ns=(1, 1)), id="time"),
        pytest.param(lambda path: path.write_text("longer"), id="size"),
    ],
)
def test_a_file_with_another_status_is_read(
    write: Write, upload: Upload, read: Callable[[], list[str]], change: Callable[[Path], object]
) -> None:
    """Whatever differs in its status, a file is read; also where size and time are the old ones."""
    folder = write({"a": "ab", "b": "b"})
    upload()
    read()
    _later(folder / "a", lambda: change(folder / "a"))
    upload(if_exists="overwrite")
    assert set(read()) == {"a"}


def test_other_content_with_the_old_time_is_sent(write: Write, upload: Upload, here: Path) -> None:
    """Content that was written with the old time is found all the same."""
    folder = write({"a": "12"})
    upload()
    _later(folder / "a", lambda: _write_again(folder / "a"))
    upload(if_exists="overwrite")
    assert (here / "out/a").read_text() == (folder / "a").read_text()


def test_a_file_that_was_just_written_is_read_again(
    write: Write,
    upload: Upload,
    read: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be written once more within the grain of the clock, and then nothing tells."""
    monkeypatch.setattr(files_cache, "GRAIN", 2 * 10**9)
    write({"a": "a"})
    upload()
    read()
    assert upload()["unchanged_files"] == 1
    assert read() == ["a"]


def test_what_is_gone_from_the_target_is_sent(write: Write, upload: Upload, here: Path) -> None:
    """An object that is not there any more is sent again, with its folder."""
    write("a sub/b")
    upload()
    shutil.rmtree(here / "out/sub")
    (here / "out/a").unlink()
    assert upload()["uploaded_files"] == 2
    assert (here / "out/sub/b").read_text() == "sub/b"


def test_what_others_have_changed_at_the_target_is_noticed(
    write: Write, upload: Upload, here: Path
) -> None:
    """An object with another status is compared; other content is a conflict, as ever."""
    write({"a": "1"})
    upload()
    (here / "out/a").write_text("2")
    with pytest.raises(StepFailedError, match="a: something else is stored there"):
        upload()
    assert upload(if_exists="overwrite")["uploaded_files"] == 1
    assert (here / "out/a").read_text() == "1"


@pytest.mark.parametrize(("if_exists", "told"), [("skip", "skipped_files"), ("error", None)])
def test_other_policies_are_as_before(
    write: Write, upload: Upload, if_exists: str, told: str | None
) -> None:
    """A known file does not count as unchanged where the policy is to skip it, or to stop."""
    write("a")
    upload()
    if told is None:
        with pytest.raises(StepFailedError, match="something is stored there"):
            upload(if_exists=if_exists)
    else:
        assert upload(if_exists=if_exists)[told] == 1


def test_equal_sizes_are_no_equal_files(write: Write, upload: Upload, here: Path) -> None:
    """What was compared by size alone is not taken for equal by an upload that compares all."""
    write({"a": "1"})
    (here / "out").mkdir()
    (here / "out/a").write_text("2")
    assert upload(compare="size")["unchanged_files"] == 1
    with pytest.raises(StepFailedError, match="a: something else is stored there"):
        upload()


class _Packed(DirectUploader):
    """A strategy that stores something else than it reads, for a test."""


def test_strategies_of_others_are_asked(write: Write, upload: Upload, here: Path) -> None:
    """What a strategy stores is not known from what it has read."""
    write("a")

    class Packing(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.unregister("upload_files")
            registry.insert_after("validate_files", UploadFilesStep(_Packed()))

    upload(Packing)
    with closing(sqlite3.connect(next((here / ".handrail/uploads/files").glob("*.db")))) as db:
        assert db.execute("SELECT count(*) FROM known").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"", b"no database at all", None])
def test_a_cache_that_is_damaged_is_done_without(
    write: Write, upload: Upload, read: Callable[[], list[str]], here: Path, content: bytes | None
) -> None:
    """Then all files are read; the upload is as good as without one."""
    write("a b")
    upload()
    (cache,) = (here / ".handrail/uploads/files").glob("*.db")
    if content is None:
        cache.unlink()
        cache.mkdir()
    else:
        cache.write_bytes(content)
    read()
    assert upload()["unchanged_files"] == 2
    assert read() == ["a", "b"]
    if content is not None:
        assert upload()["unchanged_files"] == 2
        assert read() == [], "it was not made anew"


def test_a_dry_run_leaves_the_cache_alone(
    write: Write, upload: Upload, dry_run: Callable[..., Any], here: Path
) -> None:
    """It reads what is known, and neither makes a cache nor mends one."""
    write("a")
    upload()
    (cache,) = (here / ".handrail/uploads/files").glob("*.db")
    for content in (b"", b"no database at all", cache.read_bytes()):
        cache.write_bytes(content)
        dry_run()
        assert cache.read_bytes() == content
    shutil.rmtree(cache.parent)
    dry_run()
    assert not cache.parent.exists()


def test_a_file_of_the_far_future(write: Write, upload: Upload, here: Path) -> None:
    """A time that SQLite has no number for is no reason to stop."""
    folder = write({"a": "1"})
    os.utime(folder / "a", ns=(1 << 63, 1 << 63))
    for unchanged in (0, 1):
        assert upload()["unchanged_files"] == unchanged
    _later(folder / "a", lambda: (folder / "a").write_text("2"))
    assert upload(if_exists="overwrite")["uploaded_files"] == 1
    assert (here / "out/a").read_text() == "2"


def test_all_or_nothing_is_read(make: Callable[..., Any]) -> None:
    """Two options that contradict each other are refused."""
    with pytest.raises(HandrailError, match="--checksum reads all files, --compare size none"):
        make(checksum=True, compare="size").plan()


def test_a_cache_that_another_process_writes_is_done_without(
    write: Write,
    upload: Upload,
    read: Callable[[], list[str]],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits long for it, and nobody fails for it."""
    monkeypatch.setattr(side_file, "TIMEOUT", 0.0)
    write("a b")
    upload()
    (cache,) = (here / ".handrail/uploads/files").glob("*.db")
    read()
    with closing(sqlite3.connect(cache, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert upload()["unchanged_files"] == 2
    assert read() == ["a", "b"]


def test_an_undo_leaves_no_cache(write: Write, upload: Upload, world: Callable[[], Any]) -> None:
    """A run that fails after it has stored all leaves nothing of the cache that it has made."""
    write("a")

    class Failing(DefaultUploadAction):
        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.register(_Failing())

    before = world()
    with pytest.raises(StepFailedError):
        upload(Failing)
    assert world() == before


class _Failing(UploadFilesStep):
    name = "failing"

    def execute(self, context: Any) -> Any:
        raise ValueError("no")

    def rollback(self, context: Any, result: Any) -> None:
        """Nothing was done."""


def _file(number: int, **values: Any) -> SourceFile:
    name = f"{number:04}"
    status = {"size": 1, "mtime": 2, "dev": 3, "ino": number, "ctime": 5}
    given = {"sha256": "0" * 64, "version": "v", "state": SENT, **status, **values}
    return SourceFile(path=f"/{name}", name=name, key=name, unit=name, role="file", **given)


def test_a_cache_does_not_grow_without_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that no run has seen for long are forgotten, and those of the last run stay."""
    monkeypatch.setattr(files_cache, "_SPARE", 10)
    path = here / "cache.db"
    for night in range(10):
        with closing(Manifest(here / f"{night}.db")) as manifest:
            files = [_file(n) for n in range(night * 20, night * 20 + 20)]
            manifest.add(files)
            manifest.update(replace(each, id=n) for n, each in enumerate(files, 1))
            manifest.use_cache(path)
            manifest.remember(SENT, UNCHANGED, before=10**18)
        with closing(sqlite3.connect(path)) as db:
            (count,) = db.execute("SELECT count(*) FROM known").fetchone()
            assert 20 <= count <= 50


def test_only_what_differs_is_written(here: Path) -> None:
    """A night without a change writes nothing into the cache."""
    path = here / "cache.db"
    contents = []
    for night in range(2):
        with closing(Manifest(here / f"{night}.db")) as manifest:
            manifest.add([_file(n) for n in range(100)])
            manifest.update(replace(_file(n), id=n + 1) for n in range(100))
            manifest.use_cache(path)
            manifest.remember(SENT, before=10**18)
        contents.append((path.read_bytes(), path.stat().st_mtime_ns))
    assert contents[0] == contents[1]
