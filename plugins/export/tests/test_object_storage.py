"""Exports to and from S3: marks, conflicts, undo, pictures; at moto, and at radosgw where slow."""

from __future__ import annotations

import json

import pytest

import handrail
from handrail import step
from handrail.sqlite import SqliteJournal
from handrail_export import DefaultExportAction
from handrail_export.sources.fetched import Fetched
from handrail_storage.backend import ObjectStore
from handrail_storage.claims import parse_mark

OVER = {"if_exists": "overwrite"}


class Bucket:
    """An empty bucket, looked at from outside."""

    def __init__(self, server):
        self.name, self.client = server.bucket(), server.client()

    def keys(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", [])}

    def data(self):
        """Return the keys, but for those of the claims of runs."""
        return {key for key in self.keys() if "/.handrail-target/" not in key}

    def get(self, key):
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def put(self, key, content, **metadata):
        self.client.put_object(Bucket=self.name, Key=key, Body=content, Metadata=metadata)

    def mark(self, key):
        return self.client.head_object(Bucket=self.name, Key=key)["Metadata"]["handrail-run"]


@pytest.fixture(params=["moto", pytest.param("radosgw", marks=pytest.mark.slow)])
def bucket(request, monkeypatch):
    """An empty bucket of each server."""
    server = request.getfixturevalue(request.param)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return Bucket(server)


def test_file_and_folder(table, export, bucket, here):
    """Objects arrive with the mark of their run, and nothing stays on this machine."""
    url = f"s3://{bucket.name}/deep"
    done = export(table(4), f"{url}/out.csv", table="item")
    assert bucket.get("deep/out.csv").startswith(b"id,name,price,kind\n1,item 1")
    mark = parse_mark(bucket.mark("deep/out.csv"))
    assert (mark.run, mark.step) == (done.result["run"], "save_files")
    assert done.result["output_path"] == f"{url}/out.csv"
    export("rows.db", f"{url}/parts/", table="item", format="jsonl", partition_by=["kind"])
    assert bucket.data() == {
        "deep/out.csv",
        "deep/parts/kind=a/data_0.jsonl",
        "deep/parts/kind=b/data_0.jsonl",
        "deep/parts/manifest.json",
    }
    assert json.loads(bucket.get("deep/parts/manifest.json"))["exported_count"] == 4
    assert {path.suffix for path in (here / ".handrail" / "exports").iterdir()} <= {".db", ""}


def test_rows_of_objects(bucket, export, here):
    """Objects are sources: one, those of a pattern, and beside others in a query."""
    bucket.put("in/a.csv", b"id,kind\n1,1\n")
    bucket.put("in/b.csv", b"id,kind\n2,2\n")
    bucket.put("in/deep/c.csv", b"id,kind\n3,3\n")
    (here / "kinds.csv").write_text("kind,name\n1,one\n2,two\n3,three\n")
    url = f"s3://{bucket.name}/in"
    assert export(f"{url}/a.csv", "a.csv").result["exported_count"] == 1
    assert export(f"{url}/*.csv", "b.csv").result["exported_count"] == 2
    assert export(f"{url}/**/*.csv", "c.csv").result["exported_count"] == 3
    query = "SELECT name FROM source JOIN s USING (kind) ORDER BY ALL"
    export("kinds.csv", f"{url}/out.csv", sources={"s": f"{url}/b.csv"}, query=query)
    assert bucket.get("in/out.csv") == b"name\ntwo\n"
    assert not list(here.rglob("fetched"))
    done = export(f"{url}/none.csv", "d.csv", fails=True)
    assert done.message == f"there is no object {url}/none.csv"
    done = export(f"{url}/a.csv", f"{url}/a.csv", fails=True, **OVER)
    assert done.message == f"{url}/a.csv is what is read"


@pytest.mark.parametrize("pattern", ["in/*a*a*a*a*a*a*a*a*a.csv", "in[!b]a.csv"])
def test_a_pattern_takes_no_time_and_no_set_crosses_folders(bucket, export, pattern):
    """However many ways there are to divide a name among its stars."""
    bucket.put("in/a.csv", b"id,kind\n1,1\n")
    bucket.put(f"in/{'a' * 250}.tsv", b"")
    done = export(f"s3://{bucket.name}/{pattern}", "a.csv", fails=True)
    assert done.message == f"there is no object s3://{bucket.name}/{pattern}"


@step(weight=0.1)
def stop(context):
    raise PermissionError("stopped")


class Stopped(DefaultExportAction):
    """An export that fails once it has seen its source."""

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("fetch_results", stop)


def test_objects_that_change_stop_a_resume(bucket, here, seen):
    """By their ETags; nothing is undone."""
    bucket.put("in/a.csv", b"id,kind\n1,1\n")
    given = {"source": f"s3://{bucket.name}/in/*.csv", "target": "out.csv"}
    journal = SqliteJournal(here / "runs.db")
    with pytest.raises(handrail.StepFailedError):
        Stopped(given, handrail.RuntimeContext(logger=seen), packs=()).run(
            journal=journal, on_failure="keep"
        )
    bucket.put("in/a.csv", b"id,kind\n9,9\n")
    with pytest.raises(handrail.SourceChangedError, match=r"in/a\.csv: it was written to"):
        handrail.resume(Stopped, 1, journal=journal, packs=())
    journal.close()


def test_objects_that_change_while_they_are_read(bucket, export, here, monkeypatch):
    """The copy may be neither the old one nor the new one, so nothing is exported."""
    bucket.put("in/a.csv", b"id\n1\n")
    fetch = Fetched._fetch

    def fetched(self, number, found):
        path = fetch(self, number, found)
        bucket.put("in/a.csv", b"id\n2\n")
        return path

    monkeypatch.setattr(Fetched, "_fetch", fetched)
    done = export(f"s3://{bucket.name}/in/a.csv", "out.csv", fails=True)
    assert "in/a.csv has changed while it was read: a.csv" in done.message
    assert not (here / "out.csv").exists()


def test_pictures_from_and_to_a_bucket(catalogue, export, draw, bucket):
    """Pictures are read where the catalogue says, and copied to where the export goes."""

    def location(path):
        return f"s3://{bucket.name}/store/{path.name}"

    for number in range(3):
        files = {
            "image_1": (f"image {number}.png", draw.png(colour=(number, 0, 0))),
            "mask_1": (f"mask {number}.png", draw.mask()),
        }
        for name, content in files.values():
            bucket.put(f"store/{name}", content)
        catalogue.add(f"scene {number}", files, location=location)
    export("shapes.db", f"s3://{bucket.name}/coco", format="coco")
    told = json.loads(bucket.get("coco/annotations/instances.json"))
    assert len(told["annotations"]) == 9
    assert bucket.get("coco/images/scene 1.png") == draw.png(colour=(1, 0, 0))
    bucket.client.delete_object(Bucket=bucket.name, Key="store/image 2.png")
    done = export("shapes.db", f"s3://{bucket.name}/yolo", format="yolo", fails=True)
    assert done.message.startswith("image 2.png: store/image 2.png: it is not there")
    assert not [key for key in dict(bucket.keys()) if key.startswith("yolo")]


def test_conflicts_and_replacing(table, export, bucket, here, monkeypatch):
    """What is there is not replaced unasked, and comes back when the export fails."""
    bucket.put("out/data.csv", b"mine", owner="me")
    bucket.put("out/other.csv", b"mine")
    before = bucket.keys()
    name, url = table(4), f"s3://{bucket.name}/out"
    done = export(name, url, table="item", format="csv", fails=True)
    assert done.message == f"data.csv is already at {url}"
    assert bucket.keys() == before

    usual = ObjectStore.create

    def broken(self, key, *given):
        if key == "manifest.json":
            raise handrail.HandrailError("the line went dead")
        usual(self, key, *given)

    monkeypatch.setattr(ObjectStore, "create", broken)
    done = export(name, url, table="item", format="csv", fails=True, **OVER)
    assert done.message == "the line went dead"
    assert bucket.keys() == before
    head = bucket.client.head_object(Bucket=bucket.name, Key="out/data.csv")
    assert head["Metadata"] == {"owner": "me"}

    monkeypatch.setattr(ObjectStore, "create", usual)
    export(name, url, table="item", format="csv", **OVER)
    assert bucket.data() == {"out/data.csv", "out/manifest.json", "out/other.csv"}
    assert bucket.get("out/data.csv").startswith(b"id,")


def test_rollback_deletes_what_is_marked(table, export, bucket, here):
    """A completed export is taken back; what others have written since stays."""
    table(4)
    journal = SqliteJournal(here / "runs.db")
    params = {
        "source": "rows.db",
        "table": "item",
        "target": f"s3://{bucket.name}/out",
        "partition_by": ["kind"],
        "format": "csv",
    }
    DefaultExportAction(params, packs=()).run(journal=journal)
    bucket.put("out/kind=a/data_0.csv", b"edited")
    handrail.rollback(DefaultExportAction, 1, journal=journal, packs=())
    journal.close()
    assert set(bucket.keys()) == {"out/kind=a/data_0.csv"}
    assert bucket.get("out/kind=a/data_0.csv") == b"edited"


def test_no_bucket_and_no_rights(table, export, bucket, monkeypatch):
    """A bucket that is not there, and a server that is not there, are told before any work."""
    done = export(table(1), "s3://acme-none/out.csv", table="item", fails=True)
    assert "NoSuchBucket" in done.message
    assert "make the bucket first" in done.ways_out
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done = export("rows.db", "s3://acme-none/out.csv", table="item", retries=0, fails=True)
    assert " cannot be reached: connection refused" in done.message


def test_memory(table, export):
    """The storage in memory works as well, for tests."""
    export(table(1), "memory://acme/out", table="item")
    done = export("rows.db", "memory://acme/out", table="item", fails=True)
    assert "there is an export in memory://acme/out already" in done.message
