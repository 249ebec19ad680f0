"""Objects outside of the prefix, and those of other buckets, stay, whatever mark is on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forging import RecordedRun
from killing.asking import Ask

from handrail_export import DefaultExportAction

pytestmark = pytest.mark.slow


class Scene(RecordedRun):
    """An export to a bucket that was killed, beside objects of others."""

    def __init__(self, home: Path, server: Any) -> None:
        super().__init__(home)
        self.client, self.bucket, self.other = server.client(), server.bucket(), server.bucket()
        self.environment = server.environment()

    def record(self, worker: Ask, table: Any) -> None:
        self.work.mkdir(parents=True)
        (self.work / ".handrail").mkdir(mode=0o700)
        table(9, self.work / "rows.db")
        params = {
            "source": "rows.db",
            "table": "item",
            "format": "csv",
            "partition_by": ["kind"],
            "target": f"s3://{self.bucket}/in/out",
        }
        told = {
            "do": "run",
            "params": params,
            "journal": str(self.journal),
            "folder": str(self.work),
            "environment": self.environment,
            "call": "_put",
            "nth": 2,
            "when": "after",
        }
        assert worker(told)["code"] == -9
        key = next(key for bucket, key in self.objects() if key.endswith("/data_0.csv"))
        mark = self.client.head_object(Bucket=self.bucket, Key=key)["Metadata"]["handrail-run"]
        for bucket in (self.bucket, self.other):
            for key in ("in/secret", "in/out2/a", "secret", ".handrail-target/aside/x"):
                self.client.put_object(
                    Bucket=bucket, Key=key, Body=b"theirs", Metadata={"handrail-run": mark}
                )
        aside = f"in/out/.handrail-target/aside/{self.run}/a"
        self.client.put_object(Bucket=self.bucket, Key=aside, Body=b"theirs")

    def objects(self) -> dict[tuple[str, str], tuple[bytes, Any]]:
        found = {}
        for bucket in (self.bucket, self.other):
            for each in self.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
                answer = self.client.get_object(Bucket=bucket, Key=each["Key"])
                found[bucket, each["Key"]] = (answer["Body"].read(), answer["LastModified"])
        return found


@pytest.fixture
def scene(
    tmp_path: Path, moto: Any, monkeypatch: pytest.MonkeyPatch, worker: Ask, table: Any
) -> Scene:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    made = Scene(tmp_path / "home", moto)
    made.record(worker, table)
    return made


def test_notes_that_lead_elsewhere(scene: Scene) -> None:
    """What the run made goes, all else stays, and one sentence says so."""
    step, others = "save_files", f"s3://{scene.other}/in/out"
    odd: list[Any] = [f"{scene.run}0", "../secret", "..", ".", "", "\0", "\ud800", 7, None]
    scene.forge(
        [
            ("more", (step, "claim"), odd),
            ("more", (step, "claimed"), odd),
            ("more", (step, "target"), [others]),
            ("more", (step, "folders"), [str(scene.work)]),
            ("more", ("initialize", "target"), [others]),
            ("more", ("initialize", "probe"), ["../secret"]),
            ("more", ("initialize", "made"), [str(scene.work)]),
        ]
    )
    before = scene.objects()
    mine = {each for each in before if each[1].startswith("in/out/") and "aside" not in each[1]}
    assert mine
    ended = scene.go_on("rollback", DefaultExportAction)
    ended.check(5)
    assert others in ended.told
    assert scene.objects() == {each: found for each, found in before.items() if each not in mine}


@pytest.mark.parametrize("target", ["s3://{other}/in/out", "s3://{bucket}/in", "s3://{bucket}"])
def test_another_target(scene: Scene, target: str) -> None:
    """A note alone names nothing: it is the params that say where the run worked."""
    named = target.format(other=scene.other, bucket=scene.bucket)
    scene.forge([("only", (step, "target"), [named]) for step in ("initialize", "save_files")])
    before = scene.objects()
    mine = {each for each in before if each[1].startswith("in/out/") and "aside" not in each[1]}
    ended = scene.go_on("rollback", DefaultExportAction)
    ended.check(5)
    assert scene.objects() == {each: found for each, found in before.items() if each not in mine}


def test_a_preview_without_the_server(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many files there may be, and why it cannot say that exactly."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lines = scene.preview(DefaultExportAction)
    assert any(f"at s3://{scene.bucket}/in/out: up to " in line for line in lines), lines
