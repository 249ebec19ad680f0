"""A storage that refuses: the run ends at once, says what the server said, and leaves nothing."""

from __future__ import annotations

import pytest

from handrail_upload import UploadFilesStep

on_servers = pytest.mark.parametrize("scene", ["radosgw-sqlite", "moto-postgres"], indirect=True)
on_radosgw = pytest.mark.parametrize("scene", ["radosgw-sqlite"], indirect=True)


def told_in_one_line(done, *words):
    """Whether an error has one line for its cause, with these words."""
    causes = [line for line in done.error.splitlines() if line.startswith("  cause   ")]
    assert len(causes) == 1, done.err
    for word in words:
        assert word in causes[0], done.err
    assert "Traceback" not in done.err
    return True


@on_servers
def test_one_refused_key(scene):
    """One key is refused: nothing is tried again, and all the others are undone."""
    scene.fill(30)
    scene.place.refuse("0017.txt")
    before = scene.world()
    done = scene.upload_command()
    assert done.code == 1
    refused = "AccessDenied" if "radosgw" in scene.place.server.access_key.lower() else "(403 from"
    assert told_in_one_line(done, "0017.txt: ", "not retried", refused)
    assert scene.world() == before


@on_servers
def test_one_refused_key_of_a_large_file(scene, tools):
    """A large file is refused before its first part; the small ones beside it are undone."""
    scene.fill({"a.txt": 10, "large.bin": 11 * tools.mib, "z.txt": 10})
    scene.place.refuse("large.bin")
    before = scene.world()
    done = scene.upload_command("--part-size", 5 * tools.mib)
    assert done.code == 1
    assert told_in_one_line(done, "large.bin: ", "403 from")
    assert scene.world() == before


@on_servers
def test_refused_parts(scene, tools):
    """The first of two large files arrives, the other one is refused: both are gone."""
    scene.fill({"one.bin": 11 * tools.mib, "two.bin": 11 * tools.mib})
    scene.place.refuse("two.bin")
    before = scene.world()
    done = scene.upload(part_size=5 * tools.mib, transfers=1)
    assert done.code == 1
    assert "two.bin: " in done.message
    assert scene.world() == before


@on_servers
def test_nothing_may_be_written(scene):
    """A target that refuses everything is found out before anything is looked at."""
    scene.fill(3)
    scene.place.refuse("*")
    before = scene.world()
    done = scene.upload_command()
    assert done.code == 1
    assert "error: upload failed at initialize" in done.err
    assert told_in_one_line(done, scene.place.url, "403 from")
    assert scene.world() == before


@on_radosgw
def test_deletes_are_refused(scene, tools):
    """Where the undo is refused, that is told, exit code 5; once it is allowed it can be done."""
    scene.fill(5)
    before = scene.world()

    def refuse_deletes():
        scene.place.refuse("0*", "s3:DeleteObject")

    done = scene.upload(tools.failing_after("upload_files", refuse_deletes))
    assert done.code == 5
    assert done.outcome == "rollback_incomplete"
    (problem,) = done.error.rollback_errors
    assert problem.step == "upload_files"
    assert "AccessDenied" in problem.message
    assert "\n" not in problem.message
    scene.place.allow_all()
    scene.rollback(UploadFilesStep(), done.recorded("upload_files"))
    assert scene.world()["target"] == before["target"]
    assert scene.world()["catalogue"] == before["catalogue"]


@on_radosgw
def test_wrong_secret(scene):
    """A wrong secret is called that, at once."""
    scene.fill(3)
    before = scene.world()
    done = scene.upload_command(AWS_SECRET_ACCESS_KEY="guessed")
    assert done.code == 1
    assert told_in_one_line(done, scene.place.url, "SignatureDoesNotMatch")
    assert "AWS_SECRET_ACCESS_KEY" in done.error
    assert scene.world() == before


@on_radosgw
def test_unknown_key(scene):
    """So is an access key that nobody has."""
    scene.fill(3)
    before = scene.world()
    done = scene.upload_command(AWS_ACCESS_KEY_ID="NOBODY")
    assert done.code == 1
    assert told_in_one_line(done, scene.place.url, "InvalidAccessKeyId")
    assert scene.world() == before


@on_servers
def test_unknown_bucket(scene):
    """A bucket that is not there is not made, and called so."""
    scene.fill(3)
    before = scene.world()
    where = (scene.source, "s3://acme-nowhere/data", "--catalogue", scene.catalogue.url)
    done = scene.command("run", "upload", *where)
    assert done.code == 1
    assert told_in_one_line(done, "s3://acme-nowhere/data", "NoSuchBucket")
    assert "make the bucket first" in done.error
    assert scene.world() == before


@on_radosgw
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_no_credentials(scene, value):
    """Without credentials it is said which there could be; an empty variable is none."""
    scene.fill(3)
    before = scene.world()
    done = scene.upload_command(AWS_ACCESS_KEY_ID=value, AWS_SECRET_ACCESS_KEY=value)
    assert done.code == 1
    assert told_in_one_line(done, "there are no credentials")
    assert "AWS_ACCESS_KEY_ID" in done.error
    assert scene.world() == before


@on_radosgw
def test_probe_that_cannot_be_deleted(scene):
    """Where one may write and not delete, the probe that stays behind is named, exit code 5."""
    scene.fill(3)
    scene.place.refuse("*", "s3:DeleteObject")
    done = scene.upload_command()
    assert done.code == 5
    (left,) = set(scene.place.stamps()) - {"data/others/kept.txt"}
    assert left.removeprefix("data/") in done.error
    assert "AccessDenied" in done.error


@on_radosgw
def test_one_refused_delete(scene, tools):
    """One object that cannot be deleted is named, and keeps none of the others."""
    scene.fill(5)

    def refuse_one():
        scene.place.refuse("0002.txt", "s3:DeleteObject")

    done = scene.upload(tools.failing_after("upload_files", refuse_one))
    assert done.code == 5
    (problem,) = done.error.rollback_errors
    assert "0002.txt: AccessDenied" in problem.message
    assert set(scene.place.stamps()) == {"data/0002.txt", "data/others/kept.txt"}
