"""What MLflow is told of a version is the same each time, and within what every server takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from handrail_train.manifest import StoredFile, Version
from handrail_train.mlflow import record
from handrail_train.mlflow.record import record_of, source_of
from handrail_train.store import open_store
from handrail_train.versions import Versions


@pytest.fixture
def version(params: Any, train: Any) -> Version:
    train(params())
    return Versions(open_store("models")).get("flowers@1")


def test_each_process_tells_the_same(version: Version) -> None:
    store = open_store("models")
    assert record_of(store, version) == record_of(store, version)


def test_names_and_values_are_within_the_limits(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of hyper-parameters and figures come from other packs, and may be anything."""
    usual = Versions.content

    def content(self: Versions, version: Version, file: str = "model") -> bytes:
        found = usual(self, version, file)
        if file == "card":
            return b"x" * 9_000
        return found.replace(b'"alpha"', b'"a\\u00e9|b' + b"y" * 300 + b'"')

    monkeypatch.setattr(Versions, "content", content)
    monkeypatch.setattr(record, "_PARAM", 5)
    told = record_of(open_store("models"), version)
    for name, value in told.params.items():
        assert re.fullmatch(r"[A-Za-z0-9_\-. :/]{1,250}", name)
        assert len(value) <= 5
    assert max(map(len, told.tags.values())) == 5000
    assert told.note.endswith("…")


def test_the_figures_of_epochs_have_steps_and_those_of_the_test_a_name_of_their_own(
    version: Version,
) -> None:
    told = record_of(open_store("models"), version)
    assert {each["step"] for each in told.metrics} == {1, 2, 3}
    assert len({each["timestamp"] for each in told.metrics}) == 1
    (accuracy,) = (each for each in told.metrics if each["key"] == "test_accuracy")
    assert accuracy["value"] == version.scores["accuracy"]


def test_the_figures_of_folds_are_told_with_their_spread(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Versions.content

    def content(self: Versions, version: Version, file: str = "model") -> bytes:
        found = usual(self, version, file)
        folds = b'"metrics": {"folds": {"auc": {"mean": 0.5, "deviation": 0.1}},'
        return found.replace(b'"metrics": {', folds)

    monkeypatch.setattr(Versions, "content", content)
    told = {each["key"]: each["value"] for each in record_of(open_store("models"), version).metrics}
    assert (told["folds/auc_mean"], told["folds/auc_deviation"]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("store", "source"),
    [
        ("s3://acme/kept", "s3://acme/kept/versions/flowers/3.json"),
        ("memory://acme", "memory://acme/versions/flowers/3.json"),
    ],
)
def test_a_version_in_an_object_storage_has_its_own_address(store: str, source: str) -> None:
    assert source_of(open_store(store), _made()) == source


def test_a_version_in_a_folder_has_the_machine_in_its_address(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path alone would be one of the server, which refuses it."""
    monkeypatch.setattr(record.socket, "gethostname", lambda: "build7")
    (here / "real").mkdir()
    (here / "my models").symlink_to(here / "real")
    found = source_of(open_store("my models"), _made())
    assert found == f"handrail://build7{here.resolve()}/real/versions/flowers/3.json"


def _made() -> Version:
    file = StoredFile(key="objects/aa", sha256="aa", size=1)
    return Version(
        name="flowers",
        number=3,
        kind="sgd",
        run="r",
        created="2026-11-28T00:00:00+00:00",
        data="d",
        scores={},
        libraries={},
        files={"model": file},
    )
