"""Objects outside of the prefix, and those of other buckets, stay, whatever mark is on them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from forging import RecordedRun
from killing.asking import Ask

from handrail_train import DefaultTrainAction

pytestmark = pytest.mark.slow
SHA = "c" * 64


class Scene(RecordedRun):
    """A training whose model is in a bucket, beside objects of others."""

    def __init__(self, home: Path, server: Any) -> None:
        super().__init__(home)
        self.client, self.environment = server.client(), server.environment()
        self.bucket, self.other = (f"forged-{uuid.uuid4().hex[:8]}" for _ in range(2))
        for bucket in (self.bucket, self.other):
            self.client.create_bucket(Bucket=bucket)

    def record(self, worker: Ask, kill: dict[str, Any]) -> None:
        self.work.mkdir(parents=True)
        (self.work / ".handrail").mkdir(mode=0o700)
        lines = [f"{n % 3 + n / 90:.4f},{(n * 7) % 11},{'abc'[n % 3]}" for n in range(60)]
        (self.work / "flowers.csv").write_text("\n".join(["length,width,kind", *lines, ""]))
        params = {"data": "flowers.csv", "target": "kind", "kind": "sgd", "epochs": 2}
        told = {
            "do": "run",
            "params": {**params, "store": f"s3://{self.bucket}/in/models"},
            "lag": 0.0,
            "environment": self.environment,
            "journal": str(self.journal),
            "folder": str(self.work),
            **kill,
        }
        assert worker(told)["code"] == (-9 if kill else 0)
        metadata = {"handrail-run": f"{self.run}/upload_model"}
        for bucket in (self.bucket, self.other):
            for key in ("in/secret", f"objects/cc/{SHA}", "versions/flowers/1.json", "secret"):
                self.client.put_object(Bucket=bucket, Key=key, Body=b"theirs", Metadata=metadata)
        self.client.put_object(
            Bucket=self.bucket, Key="in/models/notes.txt", Body=b"theirs", Metadata=metadata
        )

    def objects(self) -> dict[tuple[str, str], tuple[bytes, Any]]:
        found = {}
        for bucket in (self.bucket, self.other):
            for each in self.client.list_objects_v2(Bucket=bucket).get("Contents", ()):
                answer = self.client.get_object(Bucket=bucket, Key=each["Key"])
                found[bucket, each["Key"]] = (answer["Body"].read(), answer["LastModified"])
        return found


@pytest.fixture(params=[{}, {"call": "create", "nth": 2, "when": "after"}])
def scene(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    moto: Any,
    monkeypatch: pytest.MonkeyPatch,
    worker: Ask,
) -> Scene:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    made = Scene(tmp_path / "home", moto)
    made.record(worker, request.param)
    return made


@pytest.mark.parametrize("store", ["s3://{other}/in/models", "s3://{bucket}/in", "s3://{bucket}"])
def test_nothing_elsewhere_is_touched(scene: Scene, store: str) -> None:
    """What the run made goes, all else stays, and one sentence says so."""
    named = store.format(other=scene.other, bucket=scene.bucket)
    odd = ("../secret", "/in/secret", "notes.txt", "..", "", "\0", "\ud800", 7, None, [1])
    scene.forge(
        [
            ("more", ("upload_model", "store"), [named]),
            ("more", ("upload_model", "keys"), [*odd, f"objects/cc/{SHA}/../../../notes.txt"]),
            ("more", ("upload_model", "folders"), [str(scene.work)]),
        ]
    )
    before = scene.objects()
    mine = {key for key in before if key[1].startswith(("in/models/o", "in/models/v"))}
    assert mine
    scene.go_on("rollback", DefaultTrainAction).check(5)
    assert scene.objects() == {each: found for each, found in before.items() if each not in mine}


def test_a_preview_asks_the_storage_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many there may be, also where the server is gone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lines = scene.preview(DefaultTrainAction)
    assert any("up to " in line and f"s3://{scene.bucket}/in/models" in line for line in lines)
