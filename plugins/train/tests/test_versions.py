"""Versions: numbered, whole, with files of their own, and removed without harm to others."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handrail import RuntimeContext
from handrail_storage import Store
from handrail_storage.containment import Notes
from handrail_train import TrainContext, publishing
from handrail_train.errors import StorageError, VersionError
from handrail_train.manifest import Version
from handrail_train.publishing import Files, Publishing, earlier_version
from handrail_train.site import site_of
from handrail_train.store import create, open_store
from handrail_train.undo import UploadUndo
from handrail_train.versions import Versions

ABOUT = {
    "kind": "sgd",
    "data": "abc",
    "scores": {"accuracy": 0.9},
    "libraries": {"numpy": "2"},
}


class Run:
    """A run that publishes versions, and keeps what it records."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name, self.mark = store, name, f"{name}/upload_model"
        self.data: dict[str, list[Any]] = {"store": [store.address], "mark": [self.mark]}

    def record(self, key: str, values: Iterable[Any]) -> None:
        self.data.setdefault(key, []).extend(values)

    def publish(self, model: bytes, name: str = "digits", more: bytes = b"same") -> Version:
        contents = {"model": (model, ".txt"), "report": (more, ".json"), "table": (b"{}", ".json")}
        files = Files(run=self.name, contents=contents)
        made = Publishing(
            store=self.store,
            mark=self.mark,
            record_many=self.record,
            told=lambda done, total: None,
        )
        return made.publish(files, {**ABOUT, "name": name})

    def undo(self) -> str:
        return self.recorded().run(self.store, killed=False)

    def recorded(self) -> UploadUndo:
        context = TrainContext(RuntimeContext(), params={"store": self.store.address})
        notes = Notes(self.data)
        return UploadUndo.of(notes, site_of(context, notes))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "models"))


@pytest.fixture(params=["folder", "memory", "moto"])
def anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    name = f"train-{uuid.uuid4().hex[:8]}"
    if request.param == "folder":
        return open_store(str(tmp_path / "models"))
    if request.param == "memory":
        return open_store(f"memory://{name}")
    server = request.getfixturevalue("moto")
    for variable, value in server.environment().items():
        monkeypatch.setenv(variable, value)
    server.client().create_bucket(Bucket=name)
    return open_store(f"s3://{name}/kept")


def test_versions_are_numbered_by_name(store: Store) -> None:
    run = Run(store, "one")
    made = [run.publish(b"1"), run.publish(b"2"), run.publish(b"3", "iris")]
    assert [each.reference for each in made] == ["digits@1", "digits@2", "iris@1"]
    versions = Versions(store)
    assert versions.all() == made
    assert versions.all("iris") == made[2:]
    assert versions.get("digits") == versions.get("digits@latest") == made[1]
    assert versions.get("digits@1") == made[0]
    assert versions.content(made[0]) == b"1"


def test_the_tenth_version_comes_after_the_ninth(store: Store) -> None:
    run = Run(store, "one")
    for number in range(11):
        run.publish(str(number).encode())
    assert Versions(store).get("digits").number == 11
    assert [each.number for each in Versions(store).all()] == list(range(1, 12))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("digitz", "no model 'digitz'"),
        ("digits@7", "no version digits@7 .*the latest is digits@1"),
        ("digits@x", "no version of digits is called x"),
        ("digits@X", "no version digits@X"),
        ("../digits", "no model"),
    ],
)
def test_a_version_that_is_not_there_is_told(store: Store, reference: str, said: str) -> None:
    Run(store, "one").publish(b"1")
    with pytest.raises(VersionError, match=said):
        Versions(store).get(reference)


@pytest.mark.parametrize("undone", [[0, 1], [1, 0]])
def test_equal_versions_have_files_of_their_own_and_no_undo_takes_from_the_other(
    anywhere: Store, undone: list[int]
) -> None:
    """The same training twice: either can be undone first, and after both nothing is left."""
    runs = [Run(anywhere, "one"), Run(anywhere, "two")]
    made = [run.publish(b"1") for run in runs]
    keys = [{each.key for each in version.files.values()} for version in made]
    assert not keys[0] & keys[1]
    assert [each.sha256 for each in made[0].files.values()] == [
        each.sha256 for each in made[1].files.values()
    ]
    first, second = undone
    assert runs[first].undo() == "4 objects deleted"
    assert Versions(anywhere).all() == [made[second]]
    assert Versions(anywhere).content(made[second]) == b"1"
    assert runs[second].undo() == "4 objects deleted"
    assert list(anywhere.listing()) == []


@pytest.mark.parametrize("nth", range(3))
def test_an_undo_in_the_middle_of_an_equal_publication_takes_nothing_of_it(
    anywhere: Store, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Before its first file, between two, or before its manifest, and whoever gets the number."""
    first, second = Run(anywhere, "one"), Run(anywhere, "two")
    first.publish(b"1")
    count, usual = iter(range(9)), publishing.create

    def undo_then_create(*given: Any) -> bool:
        if next(count) == nth:
            first.undo()
        return usual(*given)

    monkeypatch.setattr(publishing, "create", undo_then_create)
    version = second.publish(b"1")
    assert Versions(anywhere).all() == [version]
    for name in version.files:
        assert Versions(anywhere).content(version, name)


@pytest.mark.parametrize("nth", range(2))
def test_an_equal_publication_in_the_middle_of_an_undo_loses_nothing(
    anywhere: Store, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Before the manifest is deleted, or between that and the files."""
    first, second = Run(anywhere, "one"), Run(anywhere, "two")
    first.publish(b"1")
    made: list[Version] = []
    count, usual = iter(range(9)), anywhere.delete_found

    def publish_then_delete(*given: Any) -> set[str]:
        if next(count) == nth:
            made.append(second.publish(b"1"))
        return usual(*given)

    monkeypatch.setattr(anywhere, "delete_found", publish_then_delete)
    first.undo()
    assert Versions(anywhere).all() == made
    for name in made[0].files:
        assert Versions(anywhere).content(made[0], name)


def test_the_latest_version_is_the_one_of_the_run_that_was_not_undone(store: Store) -> None:
    """No object names the latest version, so an undo has nothing to turn back."""
    first, second, third = Run(store, "one"), Run(store, "two"), Run(store, "three")
    first.publish(b"1")
    two = second.publish(b"2")
    first.undo()
    assert Versions(store).get("digits") == two
    three = third.publish(b"3")
    assert three.reference == "digits@3"
    second.undo()
    assert Versions(store).get("digits@latest") == three


def test_a_number_that_another_run_has_taken_since_stays(store: Store) -> None:
    """An undo that is repeated, or a removed version, frees a number, and not the new version."""
    first, second = Run(store, "one"), Run(store, "two")
    first.publish(b"1")
    first.undo()
    again = second.publish(b"1")
    assert again.reference == "digits@1"
    assert first.undo() == "nothing had been stored"
    assert Versions(store).content(again) == b"1"


def test_an_undo_leaves_nothing_and_can_be_repeated(store: Store, tmp_path: Path) -> None:
    run = Run(store, "one")
    run.publish(b"1")
    assert run.undo() == "4 objects deleted"
    assert list(tmp_path.iterdir()) == []
    assert run.undo() == "nothing had been stored"


def test_what_somebody_put_under_a_recorded_key_stays(store: Store) -> None:
    run, other = Run(store, "one"), Run(store, "two")
    version = run.publish(b"1")
    store.delete([version.key])
    create(store, version.key, b"{}", other.mark)
    run.undo()
    assert store.read(version.key) == b"{}"


def test_a_request_that_arrives_after_the_kill_is_undone_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = open_store(f"memory://{uuid.uuid4().hex}")
    run = Run(store, "one")
    version = run.publish(b"1")
    late = store.read(version.key)
    assert late is not None
    store.delete([version.key])
    waited: list[float] = []

    def arrive(seconds: float) -> None:
        waited.append(seconds)
        assert late is not None
        create(store, version.key, late, run.mark)

    monkeypatch.setattr("handrail_train.undo.time.sleep", arrive)
    monkeypatch.setattr("handrail_storage.backend.objects.MEMORY_LAG", 1.0)
    assert run.recorded().run(open_store(store.address), killed=True) == "4 objects deleted"
    assert waited == [1.0]
    assert list(store.listing()) == []


def test_a_version_is_removed_with_its_files(store: Store) -> None:
    one, two = Run(store, "one").publish(b"1"), Run(store, "two").publish(b"1")
    assert len(Versions(store).remove(one)) == 3
    assert Versions(store).all() == [two]
    assert Versions(store).content(two, "report") == b"same"
    assert len(Versions(store).remove(two)) == 3
    assert list(store.listing("objects/")) == []


def test_a_file_that_two_manifests_name_outlives_the_first_of_them(store: Store) -> None:
    """As where somebody has copied a manifest, or where one run stores two versions."""
    run = Run(store, "one")
    one, two = run.publish(b"1"), run.publish(b"2")
    assert one.files["report"] == two.files["report"]
    assert Versions(store).remove(one) == [one.files["model"].key]
    assert Versions(store).content(two, "report") == b"same"


def test_a_number_that_somebody_else_takes_meanwhile_is_not_fought_over(
    anywhere: Store,
) -> None:
    store = anywhere
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: Run(store, f"run-{n}").publish(str(n).encode()), range(8)))
    assert sorted(each.number for each in made) == list(range(1, 9))
    assert all(Versions(store).content(each) == each.run[4:].encode() for each in made)


def test_an_object_that_is_not_what_its_name_says_is_told(store: Store) -> None:
    version = Run(store, "one").publish(b"1")
    key = version.files["model"].key
    Path(store.address, key).write_bytes(b"changed")
    with pytest.raises(VersionError, match="is not what was stored"):
        Versions(store).content(version)
    store.delete([key])
    with pytest.raises(VersionError, match="is gone"):
        Versions(store).content(version)


def test_what_somebody_put_where_a_file_would_go_is_told_and_stays(store: Store) -> None:
    key = Run(store, "one").publish(b"1").files["model"].key
    store.delete([key])
    create(store, key, b"theirs", "two/upload_model")
    with pytest.raises(StorageError, match="somebody else has stored something there"):
        Run(store, "one").publish(b"1")
    assert store.read(key) == b"theirs"


def test_trainings_and_undos_at_one_time_fail_none_of_them_and_leave_nothing(
    tmp_path: Path,
) -> None:
    """Folders come and go, and numbers are taken and freed, while others store equal files."""

    def publish_and_undo(number: int) -> None:
        run = Run(open_store(str(tmp_path / "models")), f"run-{number}")
        version = run.publish(b"same")
        assert Versions(run.store).content(version) == b"same"
        assert run.undo() == "4 objects deleted"

    with ThreadPoolExecutor(3) as pool:
        for _ in pool.map(publish_and_undo, range(60)):
            pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_version_that_a_killed_process_completed_is_found(store: Store) -> None:
    run = Run(store, "one")
    assert earlier_version(store, run.recorded()) is None
    version = run.publish(b"1")
    assert earlier_version(store, run.recorded()) == version
    other = Run(store, "two")
    other.data["keys"] = run.data["keys"]
    assert earlier_version(store, other.recorded()) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", "no manifest"),
        (b"{", "no manifest"),
        (json.dumps({"schema": 9}).encode(), "the shape 9"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_told(store: Store, content: bytes, said: str) -> None:
    create(store, "versions/digits/1.json", content, "x/y")
    with pytest.raises(VersionError, match=rf"versions/digits/1\.json: .*{said}"):
        Versions(store).all()
