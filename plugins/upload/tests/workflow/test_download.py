"""What was uploaded is fetched back into a folder or a bucket, checked, and can be undone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from servers.cutting import CuttingLine

from handrail import BaseStep, StepFailedError, StepResult
from handrail.errors import ParamsError
from handrail_storage.backend import ObjectStore
from handrail_storage.claims import ClaimRefusedError
from handrail_upload import (
    DirectUploader,
    DownloadAction,
    DownloadParams,
    UploadFilesStep,
    UploadParams,
)
from handrail_upload.errors import (
    ConflictError,
    FileChangedError,
    InvalidFilesError,
    SourceError,
)

MIB = 1 << 20
LONG_AGO = 1_600_000_000_123_456_789  # Nanoseconds since the epoch.


@pytest.fixture
def download(upload):
    """Return a function that fetches `out`, or the source that is given, into `back`."""

    def _download(source="out", action=DownloadAction, **params):
        return upload(action, **{"source": source, "target": "back", **params})

    return _download


def open_bucket(server, monkeypatch):
    """Return the URL of a place in a bucket, and a client that sees it from outside."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.bucket()}/some", server.client()


@pytest.fixture
def bucket(moto, monkeypatch):
    return open_bucket(moto, monkeypatch)


@pytest.fixture
def bucket_of_ceph(radosgw, monkeypatch):
    return open_bucket(radosgw, monkeypatch)


def contents(folder):
    """Return the content of each file in a folder, by its name in bytes; claims are left out."""
    root = os.fsencode(folder)
    found = {}
    for path, folders, names in os.walk(root):
        folders[:] = [each for each in folders if each != b".handrail-target"]
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                found[os.path.relpath(os.path.join(path, name), root)] = file.read()
    return found


def in_bucket(place):
    """Return the content of each object below a URL, by key; claims are left out."""
    url, client = place
    name, _, prefix = url.removeprefix("s3://").partition("/")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=f"{prefix}/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return {
        key.removeprefix(f"{prefix}/"): client.get_object(Bucket=name, Key=key)["Body"].read()
        for key in keys
        if ".handrail-target/" not in key
    }


def put(place, key, content, **more):
    """Store an object below a URL, as somebody else would."""
    name, _, prefix = place[0].removeprefix("s3://").partition("/")
    place[1].put_object(Bucket=name, Key=f"{prefix}/{key}", Body=content, **more)


def after_finding(then):
    """Return a download that calls `then` once the objects are found."""

    class Then(BaseStep):
        name = "then"
        progress_weight = 0.1

        def execute(self, context):
            then()
            return StepResult()

    class Download(DownloadAction):
        action_name = "download"

        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.insert_after("validate_files", Then())

    return Download


# What comes back


@pytest.mark.parametrize("at", ["folder", "bucket", "bucket_of_ceph"])
def test_an_upload_comes_back_as_it_was(write, upload, download, here, request, at):
    """Names and times too; what is no text stays as %XX, and an empty file is a file."""
    target = "out" if at == "folder" else request.getfixturevalue(at)[0]
    files = {"a": "aaa", "empty": "", "line\nbreak": "l", "50%0A": "p", "sub/.hidden": "h"}
    files |= {os.fsdecode(b"caf\xe9"): "c", "large": bytes(range(256)) * 30_000}
    source = write(files)
    for name in files:
        os.utime(source / name, ns=(LONG_AGO, LONG_AGO))
    run = upload(target=target, hidden=True, allow_empty=True, part_size=5 * MIB)["run"]
    assert download(run)["summary"].startswith("downloaded 7 new to back")
    expected = contents(source)
    expected[b"caf%E9"] = expected.pop(b"caf\xe9")
    assert contents(here / "back") == expected
    for name in expected:
        assert os.stat(os.path.join(b"back", name)).st_mtime_ns == LONG_AGO
    assert download(run)["unchanged_files"] == 7


def test_objects_of_others_come_back_but_for_what_is_no_file(bucket, download, here):
    """They have no mark, and what a console stores for a folder is no file."""
    for key in ("a", "sub/b", "sub/", "sub/.handrail-target/claims/x", "a%2Fb"):
        put(bucket, key, b"" if key.endswith("/") else key.encode())
    expected = {b"a": b"a", b"sub/b": b"sub/b", b"a%2Fb": b"a%2Fb"}
    assert download(bucket[0])["uploaded_files"] == 3
    assert contents(here / "back") == expected
    assert download(bucket[0])["unchanged_files"] == 3


def test_a_bucket_is_copied_to_another_place(bucket, moto, write, upload, download):
    write({"a": "aaa", "sub/b": "b", "large": bytes(range(256)) * 30_000})
    upload(target=bucket[0], part_size=5 * MIB)
    other = (f"s3://{moto.bucket()}/copy", bucket[1])
    assert download(bucket[0], target=other[0], part_size=6 * MIB)["uploaded_files"] == 3
    assert in_bucket(other) == in_bucket(bucket)
    assert download(bucket[0], target=other[0], part_size=6 * MIB)["unchanged_files"] == 3


def test_patterns_choose_what_is_fetched(write, upload, download, stored):
    write("a.jpg b.txt sub/c.jpg sub/d.jpg")
    upload()
    download(include=["*.jpg"], exclude=["d.*"])
    assert stored("back") == ["a.jpg", "sub/c.jpg"]


def test_a_dry_run_fetches_nothing(write, upload, dry_run, here):
    write("a b")
    upload()
    lines = dry_run(DownloadAction, source="out", target="back")["upload_files"]
    assert [line.split()[:2] for line in lines] == [["new", "a"], ["new", "b"], ["2", "files"]]
    assert not (here / "back").exists()


def test_small_objects_of_others_are_compared_without_a_request_for_each(
    bucket, download, monkeypatch
):
    for key in "abc":
        put(bucket, key, key.encode())
    download(bucket[0])
    asked = []
    usual = ObjectStore.stat
    monkeypatch.setattr(ObjectStore, "stat", lambda *given: asked.append(given) or usual(*given))
    assert download(bucket[0])["unchanged_files"] == 3
    assert asked == []


def test_what_was_fetched_is_verified_by_its_run(write, upload, download, run, here):
    write({"a": "aaa", "b": "b"})
    upload()
    fetched = download()["run"]
    assert run("verify", fetched)[0] == 0
    (here / "back/a").write_text("other")
    assert run("verify", fetched)[0] == 1


@pytest.mark.parametrize("at", ["folder", "bucket"])
def test_sizes_and_ages_choose_what_is_fetched(write, download, stored, request, at):
    if at == "folder":
        source = str(write({"small": "s", "large": "l" * 100, "old": "o" * 50}, "out"))
        os.utime(f"{source}/old", (1, 1))
        assert download(max_age="1h")["uploaded_files"] == 2
    else:
        place = request.getfixturevalue("bucket")
        for key, size in {"small": 1, "large": 100, "old": 50}.items():
            put(place, key, b"x" * size)
        source = place[0]
        with pytest.raises(StepFailedError) as failed:
            download(source, min_age="1h")
        assert isinstance(failed.value.__cause__, SourceError)
    download(source, min_size=2, max_size=99)
    assert "old" in stored("back")
    assert ("small" in stored("back")) is (at == "folder")


@pytest.mark.parametrize("at", ["folder", "link", "bucket"])
def test_a_target_in_the_source_is_no_part_of_it(write, download, here, request, at):
    if at != "bucket":
        source = str(write("a", "out"))
    else:
        place = request.getfixturevalue("bucket")
        put(place, "a", b"a")
        source = place[0]
    target = f"{source}/copy"
    if at == "link":
        (here / "link").symlink_to("out")
        target = "link/copy"
    for _ in range(2):
        download(source, target=target)
    found = in_bucket(place) if at == "bucket" else contents(here / "out")
    assert len(found) == 2


@pytest.mark.parametrize("more", [{}, {"include": ["*.jpg"]}])
def test_a_source_of_nothing_is_refused(write, download, here, more):
    write({"a": "a"} if more else {}, "out")
    with pytest.raises(StepFailedError) as failed:
        download(**more)
    assert isinstance(failed.value.__cause__, SourceError)
    assert not (here / "back").exists()
    assert download(allow_nothing=True, **more)["uploaded_files"] == 0


def test_an_object_and_a_folder_of_one_name_are_told_before_anything_is_fetched(
    bucket, download, here
):
    for key in ("a", "a!", "a/b", "a/c", "ab/d"):
        put(bucket, key, key.encode())
    with pytest.raises(StepFailedError) as failed:
        download(bucket[0])
    assert isinstance(failed.value.__cause__, InvalidFilesError)
    told = "1 file cannot be downloaded: a: a folder has to have this name, that of a/b"
    assert told in str(failed.value)
    assert not (here / "back").exists()
    assert download(bucket[0], on_invalid="skip")["uploaded_files"] == 4
    assert sorted(contents(here / "back")) == [b"a!", b"a/b", b"a/c", b"ab/d"]
    assert download(bucket[0], target=f"{bucket[0]}/copy")["uploaded_files"] == 5


# What is not as it should be


@pytest.mark.parametrize("at", ["run", "mark"])
@pytest.mark.parametrize("size", [8, 2 * MIB], ids=["small", "large"])
def test_content_that_is_not_what_was_recorded_is_refused(
    bucket, write, upload, download, here, at, size
):
    write({"a": b"a" * size, "b": b"b" * size})
    run = upload(target=bucket[0])["run"]
    name, _, prefix = bucket[0].removeprefix("s3://").partition("/")
    metadata = bucket[1].head_object(Bucket=name, Key=f"{prefix}/a")["Metadata"]
    put(bucket, "a", b"A" * size, Metadata=metadata)
    with pytest.raises(StepFailedError, match=f"{bucket[0]}/a: ") as failed:
        download(run if at == "run" else bucket[0])
    assert isinstance(failed.value.__cause__, FileChangedError)
    assert not (here / "back").exists()


@pytest.mark.parametrize("at", ["folder", "bucket"])
@pytest.mark.parametrize("content", [b"bbb", b"b", None], ids=["other", "shorter", "gone"])
@pytest.mark.parametrize("on_changed", ["fail", "skip", "take"])
def test_objects_that_change_meanwhile_are_treated_as_files_that_do(
    write, download, here, request, at, content, on_changed
):
    place = request.getfixturevalue("bucket") if at == "bucket" else None
    source = place[0] if place else str(write({"a": "aaa"}, "out"))
    if place:
        put(place, "a", b"aaa")

    def change():
        if place is None:
            (here / "out/a").unlink()
            if content is not None:
                (here / "out/a").write_bytes(content)
        elif content is None:
            name, _, prefix = place[0].removeprefix("s3://").partition("/")
            place[1].delete_object(Bucket=name, Key=f"{prefix}/a")
        else:
            put(place, "a", content)

    if on_changed == "fail":
        with pytest.raises(StepFailedError) as failed:
            download(source, after_finding(change))
        assert isinstance(failed.value.__cause__, FileChangedError)
        assert not (here / "back").exists()
    else:
        download(source, after_finding(change), on_changed=on_changed)
        taken = on_changed == "take" and content is not None
        assert contents(here / "back") == ({b"a": content} if taken else {})


def test_a_connection_that_breaks_within_an_object_is_made_again(
    bucket, moto, download, here, monkeypatch
):
    content = os.urandom(MIB) * 40
    put(bucket, "a", content)
    before: list[int] = []

    class Cutting(DirectUploader):
        def send(self, storage, file, sending, replacing):
            read = 0

            def on_bytes(count):
                nonlocal read
                read += count
                sending.on_bytes(count)
                if read > 8 * MIB and not before:
                    before.append(line.connections)
                    line.cut()

            return super().send(storage, file, replace(sending, on_bytes=on_bytes), replacing)

    class Download(DownloadAction):
        action_name = "download"

        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.replace("upload_files", UploadFilesStep(Cutting()))

    with CuttingLine(int(moto.endpoint.rpartition(":")[2])) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
        download(bucket[0], Download)
        assert line.connections > before[0]
    assert contents(here / "back") == {b"a": content}


@pytest.mark.parametrize(
    ("if_exists", "content"),
    [("same", None), ("error", None), ("skip", b"other"), ("overwrite", b"aaa")],
)
def test_a_file_that_is_there_is_treated_as_by_an_upload(
    write, upload, download, here, if_exists, content
):
    write({"a": "aaa", "b": "b"})
    upload()
    write({"a": "other"}, "back")
    if content is None:
        with pytest.raises(StepFailedError) as failed:
            download(if_exists=if_exists)
        assert isinstance(failed.value.__cause__, ConflictError)
        assert contents(here / "back") == {b"a": b"other"}
    else:
        download(if_exists=if_exists)
        assert contents(here / "back") == {b"a": content, b"b": b"b"}


def test_two_downloads_of_the_same_files_do_not_meet(write, upload, download, stored):
    """The second one is refused while the first one works, and nothing of it is left."""
    write("a b")
    upload()
    refused = []

    class Meanwhile(DirectUploader):
        def send(self, *given):
            if not refused:
                with pytest.raises(StepFailedError) as failed:
                    download(if_exists="overwrite")
                refused.append(failed.value.__cause__)
            return super().send(*given)

    class First(DownloadAction):
        action_name = "download"

        def setup_steps(self, registry):
            super().setup_steps(registry)
            registry.replace("upload_files", UploadFilesStep(Meanwhile()))

    assert download(action=First)["uploaded_files"] == 2
    assert isinstance(refused[0], ClaimRefusedError)
    assert stored("back") == ["a", "b"]


# Params


def test_a_download_has_no_options_that_only_an_upload_needs():
    """A new param of uploads is either meant for downloads, or fixed by them."""
    of_uploads = {
        *("sources", "collection", "catalogue", "metadata_file", "metadata_key"),
        *("specification", "files_from", "hidden", "follow_links", "limit", "allow_empty"),
        *("checksum", "delete_missing", "max_delete"),
    }
    both = set(UploadParams.model_fields) - of_uploads
    assert set(DownloadParams.model_fields) == both


def test_its_help_is_about_downloads():
    told = {name: field.description for name, field in DownloadParams.model_fields.items()}
    assert [name for name, text in told.items() if "upload" in text] == ["source"]


# Bad input


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("77", "back", "there is no upload 77"),
        ("missing", "back", "there is no folder"),
        ("src/a", "back", "is no folder"),
        ("", "back", "empty"),
        ("s3:/bucket", "back", "two slashes"),
        ("ftp://host/path", "back", "no storage"),
        ("s3://u:secret@bucket/x", "back", "a secret"),
        ("out", "out", "the same"),
        ("out", "./out/", "the same"),
        ("out", "link", "the same"),
    ],
)
def test_a_source_that_cannot_be_fetched_is_told_before_anything_is_done(
    write, upload, download, here, source, target, why
):
    write("a")
    upload()
    (here / "link").symlink_to("out")
    before = set(here.glob("*"))
    with pytest.raises(ParamsError, match=re.escape(why)) as failed:
        download(source, target=target)
    assert "u:secret" not in str(failed.value)
    assert set(here.glob("*")) == before


def test_an_upload_that_was_undone_cannot_be_fetched(handrail, write, here):
    write("a")
    assert handrail("run", "upload", "src", "out").returncode == 0
    assert handrail("rollback", "1", "--yes").returncode == 0
    ended = handrail("run", "download", "1", "back")
    assert (ended.returncode, "undone" in ended.stderr) == (2, True)
    assert not (here / "back").exists()


def test_a_bucket_that_is_not_there_is_told(bucket, download, here):
    with pytest.raises(StepFailedError, match="bucket"):
        download("s3://no-such-bucket-of-ours/x")
    assert not (here / "back").exists()


# Undo


def test_an_undo_removes_what_was_fetched_and_puts_back_what_was_there(handrail, write, here):
    write({"a": "aaa", "b": "b", "line\nbreak": "l"})
    handrail("run", "upload", "src", "out")
    write({"a": "other", "mine": "m"}, "back")
    ended = handrail("run", "download", "1", "back", "--if-exists", "overwrite")
    assert ended.returncode == 0, ended.stderr
    assert handrail("rollback", "2", "--yes").returncode == 0
    assert contents(here / "back") == {b"a": b"other", b"mine": b"m"}
    assert not (here / "back/.handrail-target").exists()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_killed_download_is_finished_or_undone(bucket, handrail, write, here, way):
    """What had arrived before the kill is not fetched again."""
    write({str(n): f"{n}" * 100_000 for n in range(10)})
    assert handrail("run", "upload", "src", bucket[0]).returncode == 0
    words = ("run", "download", "1", "back", "--bandwidth", "200kB")
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", *words],
        env={**os.environ, "HANDRAIL_ONLY_PACKS": "handrail-upload"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(list((here / "back").glob("[0-9]"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    arrived = {path.name: path.stat().st_ino for path in (here / "back").glob("[0-9]")}
    assert handrail(way, "2").returncode == 0
    if way == "rollback":
        assert not (here / "back").exists()
        return
    assert contents(here / "back") == contents(here / "src")
    for name, inode in arrived.items():
        assert (here / "back" / name).stat().st_ino == inode
    assert handrail("rollback", "2", "--yes").returncode == 0
    assert not (here / "back").exists()
