"""A manifest is believed only where it is whole, and leads nowhere but into its store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail_train.errors import VersionError
from handrail_train.manifest import ManifestError, StoredFile, Version
from handrail_train.store import create, open_store
from handrail_train.versions import Versions

SHA = "ab" * 32
FILE = {"key": f"objects/ab/{SHA}.json", "sha256": SHA, "size": 3}
OTHERS = {"table": FILE, "report": FILE}


def manifest(**changed: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "digits",
        "number": 1,
        "kind": "sgd",
        "run": "one",
        "created": "2026-11-26T07:45:44+00:00",
        "data": "abc",
        "scores": {"accuracy": 0.5},
        "libraries": {"numpy": "2"},
        "files": {"model": FILE, **OTHERS},
        **changed,
    }


def test_a_manifest_is_what_was_written() -> None:
    version = Version.from_dict(manifest())
    assert version.files["model"] == StoredFile(**FILE)
    assert Version.from_bytes(version.to_bytes(), version.key) == version


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "../digits"},
        {"name": 1},
        {"number": "1"},
        {"number": True},
        {"number": 0},
        {"created": 5},
        {"kind": None},
        {"scores": "x"},
        {"scores": {"accuracy": "good"}},
        {"libraries": 3},
        {"files": {**OTHERS}},
        {"files": {"model": FILE, "report": FILE}},
        {"files": []},
        {"files": {"model": 1, **OTHERS}},
        {"files": {"model": {**FILE, "size": "3"}, **OTHERS}},
        {"files": {"model": {**FILE, "key": "../precious.txt"}, **OTHERS}},
        {
            "files": {
                "model": {**FILE, "key": f"{FILE['key']}/../../x"},
                "table": FILE,
                "report": FILE,
            }
        },
        {"files": {"model": {**FILE, "key": f"/{FILE['key']}"}, **OTHERS}},
        {"files": {"model": FILE, **OTHERS, "../../x": FILE}},
        {"more": 1},
        {"schema": "1"},
    ],
)
def test_what_is_not_as_it_has_to_be_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match="no manifest of a model"):
        Version.from_dict(manifest(**changed))


def test_a_manifest_of_a_newer_shape_says_what_to_install() -> None:
    with pytest.raises(VersionError, match=r"(?s)shape 3.*pip install --upgrade") as error:
        Version.from_dict(manifest(schema=3))
    assert not isinstance(error.value, ManifestError)


def test_a_manifest_belongs_under_its_own_key() -> None:
    content = json.dumps(manifest()).encode()
    with pytest.raises(ManifestError, match="this is the manifest of digits@1"):
        Version.from_bytes(content, "versions/digits/2.json")


def test_no_manifest_makes_anything_outside_of_the_store_go(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("kept")
    key = "../precious.txt"
    leading = manifest(files={"model": {**FILE, "key": key}, **OTHERS})
    store = open_store(str(tmp_path / "models"))
    create(store, "versions/digits/1.json", json.dumps(leading).encode(), "x/y")
    versions = Versions(store)
    with pytest.raises(ManifestError):
        versions.get("digits@1")
    versions.remove_damaged("digits@1")
    assert precious.read_text() == "kept"
    assert versions.all() == []


def test_removing_a_damaged_manifest_spares_what_others_have(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "models"))
    shared, own = FILE["key"], f"objects/cd/{'cd' * 32}.txt"
    for each in (shared, own):
        create(store, str(each), b"abc", "x/y")
    create(store, "versions/digits/1.json", json.dumps(manifest()).encode(), "x/y")
    broken = json.dumps(manifest(files={"model": {"key": own}, **OTHERS})).encode()
    create(store, "versions/digits/2.json", broken, "x/y")
    versions = Versions(store)
    found, damaged = versions.look()
    assert [each.number for each in found] == [1]
    assert list(damaged) == ["digits@2"]
    assert versions.remove_damaged("digits@2") == [own]
    assert [each.key for each in store.listing("objects/")] == [shared]


def test_the_way_out_names_the_store(tmp_path: Path) -> None:
    url = str(tmp_path / "my models")
    store = open_store(url)
    create(store, "versions/digits/1.json", b"{", "x/y")
    with pytest.raises(ManifestError) as error:
        Versions(store).get("digits")
    assert f"handrail models remove digits@1 --store '{url}'" in error.value.ways_out[0]


def test_a_model_that_cannot_be_read_says_which_libraries_differ(
    here: Path, params: Callable[..., Any], train: Callable[..., Any], monkeypatch: Any
) -> None:
    train(params())
    versions = Versions(open_store("models"))
    given = json.loads((here / "models/versions/flowers/1.json").read_text())
    given["libraries"]["scikit-learn"] = "0.1"
    monkeypatch.setattr(versions, "content", lambda version: b"no zip file")
    with pytest.raises(ValueError, match=r"(?s)flowers@1: .*made with scikit-learn 0\.1, and here"):
        versions.load(Version.from_dict(given))
