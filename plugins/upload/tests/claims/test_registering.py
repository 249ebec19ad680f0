"""What a run holds is looked at again before it is registered: others may have replaced it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from killing.processes import in_child

from handrail.errors import SourceChangedError
from handrail_storage.claims import ClaimMissingError, Claims, HeldChangedError, claims_at
from handrail_upload import GenerateDataUnitsStep, claiming
from handrail_upload.catalogue import Catalogue
from handrail_upload.storage import open_storage

KILLED = -signal.SIGKILL
FILES = {f"{number}.txt": f"photo {number}" for number in range(6)}
HISTORIES = 150 if "HANDRAIL_FAULTS" in os.environ else 6


def die(*arguments: Any, **options: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_before_registering(person: Any, **options: Any) -> int:
    """Upload in a process that is killed when all is stored, and nothing is registered."""

    def work() -> None:
        GenerateDataUnitsStep.execute = die  # type: ignore[assignment]
        person.upload(**options)

    return in_child(work)


def killed_just_after_holding(person: Any, **options: Any) -> int:
    """The same, before it is recorded that all is stored."""

    def work() -> None:
        real = claiming.hold

        def hold(*arguments: Any) -> None:
            real(*arguments)
            die()

        claiming.hold = hold
        person.upload(**options)

    return in_child(work)


KILLS = [killed_before_registering, killed_just_after_holding]


@pytest.fixture(autouse=True)
def alone_with_threads(request: pytest.FixtureRequest) -> None:
    """Leave out what forks a process in which a client of an object storage may have threads.

    The child would wait for them for ever. With HANDRAIL_FAULTS, run this file alone.
    """
    if request.node.callspec.params.get("shared") == "moto" and "HANDRAIL_FAULTS" not in os.environ:
        pytest.skip("HANDRAIL_FAULTS is not set")


@pytest.fixture
def common(shared: Any) -> str:
    """A catalogue that all use."""
    return str(shared.top / "common.db")


@pytest.fixture
def ann(shared: Any) -> Any:
    person = shared.person("ann")
    person.write(FILES)
    return person


@pytest.fixture
def ben(shared: Any) -> Any:
    """Somebody with the same keys, and other content under two of them."""
    person = shared.person("ben")
    person.write({**FILES, "2.txt": "another", "3.txt": "and another"})
    return person


def rows(catalogue: str) -> dict[str, str]:
    """Return the digests in a catalogue, by key."""
    if not Path(catalogue).exists():
        return {}
    with closing(sqlite3.connect(catalogue)) as database:
        return dict(database.execute("SELECT key, sha256 FROM handrail_data_file"))


def digests(shared: Any) -> dict[str, str]:
    """Return the digests of what is really there, by key."""
    return {
        key: hashlib.sha256(shared.place.content(key)).hexdigest()
        for key in shared.files()
        if not key.startswith("others/")
    }


def stopped(person: Any) -> dict[str, Any]:
    """Resume in vain, in a process of its own; return the JSON form of why."""
    told = Path(person.folder, "told.json")

    def work() -> None:
        with pytest.raises((SourceChangedError, ClaimMissingError)) as caught:
            person.resume()
        told.write_text(json.dumps(caught.value.to_dict()))

    assert in_child(work) == 0
    error: dict[str, Any] = json.loads(told.read_text())
    assert error["exit_code"] == 3
    assert person.row().outcome in (None, "interrupted")
    assert person.row().direction == "forward"
    return error


@pytest.mark.parametrize("kill", KILLS)
def test_a_resumed_run_does_not_register_what_another_has_replaced(
    shared: Any, common: str, ann: Any, ben: Any, kill: Callable[..., int]
) -> None:
    """It stops, and says what differs, and whose it is; nothing is undone."""
    assert kill(ann, catalogue=common, collection="photos") == KILLED
    upload = partial(ben.upload, catalogue=common, collection="photos", if_exists="overwrite")
    assert in_child(upload) == 0
    there = digests(shared)
    error = stopped(ann)
    assert error["code"] == "source-changed"
    assert "2 objects at" in error["message"]
    assert "2.txt is of run 1 on" in error["message"]
    assert str(ben.journal) in error["message"]
    assert any("handrail rollback 1" in way for way in error["ways_out"])
    assert (digests(shared), rows(common)) == (there, there)
    assert in_child(ann.rollback) == 0
    assert (digests(shared), rows(common)) == (there, there)


@pytest.mark.parametrize("kill", KILLS)
def test_a_resumed_run_registers_what_another_has_left_as_it_was(
    shared: Any, common: str, ann: Any, kill: Callable[..., int]
) -> None:
    """Another run that has found the same there is in nobody's way."""
    assert kill(ann, catalogue=common) == KILLED
    carl = shared.person("carl", ann.source)
    assert in_child(partial(carl.upload, catalogue=common, if_exists="overwrite")) == 0
    assert in_child(ann.resume) == 0
    assert rows(common) == digests(shared)


@pytest.mark.parametrize("kill", KILLS)
def test_a_resumed_run_does_not_register_what_somebody_has_removed(
    shared: Any, common: str, ann: Any, kill: Callable[..., int]
) -> None:
    assert kill(ann, catalogue=common) == KILLED
    shared.place.remove("4.txt")
    assert "4.txt is gone" in stopped(ann)["message"]
    assert rows(common) == {}


@pytest.mark.parametrize("kill", KILLS)
def test_a_resumed_run_does_not_register_what_was_freed(
    shared: Any, common: str, ann: Any, kill: Callable[..., int]
) -> None:
    """Its claim was undone from outside, and with it all that it had stored."""
    assert kill(ann, catalogue=common) == KILLED

    def undo() -> None:
        store = open_storage(ann.target)
        [state] = claims_at(store)[0]
        undoing = Claims(store, state.claimant).free(waiting=lambda left: None, take_over=True)
        assert undoing is not None
        undoing.run()

    assert in_child(undo) == 0
    assert shared.files() <= {"others/kept.txt"}
    assert stopped(ann)["code"] == "claim-missing"
    assert rows(common) == {}


@pytest.mark.parametrize("shared", ["folder"], indirect=True)
def test_a_run_that_is_not_killed_does_not_either(
    shared: Any, common: str, ann: Any, ben: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another one has come in the moment before it registers; then it is undone."""
    real, came = Catalogue.publish, []

    def publish(catalogue: Any, run: str, *arguments: Any, **options: Any) -> Any:
        if not came:
            came.append(run)
            ben.upload(catalogue=common, collection="photos", if_exists="overwrite")
        return real(catalogue, run, *arguments, **options)

    monkeypatch.setattr(Catalogue, "publish", publish)
    error = ann.fail(catalogue=common, collection="photos")
    assert isinstance(error.__cause__, HeldChangedError)
    assert (error.exit_code, error.outcome) == (3, "rolled_back")
    assert rows(common) == digests(shared)


@pytest.mark.parametrize("kill", KILLS)
def test_rows_that_have_passed_on_to_a_run_leave_with_it(
    shared: Any, common: str, ann: Any, kill: Callable[..., int]
) -> None:
    """Also if it was killed before it registered anything itself."""
    assert kill(ann, catalogue=common, collection="photos") == KILLED
    carl = shared.person("carl", ann.source)
    upload = partial(carl.upload, catalogue=common, collection="photos")
    assert in_child(upload) == 0
    assert in_child(carl.rollback) == 0
    assert rows(common) == digests(shared) != {}
    assert in_child(ann.rollback) == 0
    assert (rows(common), digests(shared)) == ({}, {})


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("kill", KILLS)
def test_what_stays_for_a_run_that_was_replaced_is_registered_again(
    shared: Any, common: str, ann: Any, ben: Any, kill: Callable[..., int], order: tuple[int, int]
) -> None:
    """Where a third one has put it there, and is undone before it registered anything."""
    carl = shared.person("carl", ann.source)
    options = {"catalogue": common, "collection": "photos", "if_exists": "overwrite"}
    for person in (ann, ben):
        assert in_child(partial(person.upload, **options)) == 0
    replaced = rows(common)
    assert kill(carl, **options) == KILLED
    assert in_child(carl.rollback) == 0
    assert rows(common) == digests(shared) != replaced
    for number in order:
        assert in_child((ann, ben)[number].rollback) == 0
        assert rows(common) == digests(shared)
    assert rows(common) == {}


@pytest.mark.parametrize("shared", ["folder"], indirect=True)
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_random_histories(shared: Any, common: str, ann: Any, ben: Any, seed: int) -> None:
    """Whoever is killed and goes on: what is registered at the end is what is there."""
    choose = random.Random(seed)
    people = [ann, ben, shared.person("carl", ann.source)]
    options: dict[str, Any] = {"catalogue": common, "collection": "photos"}
    left: list[Any] = []
    for person in choose.sample(people, 3):
        how = choose.choice([*KILLS, lambda each, **more: in_child(partial(each.upload, **more))])
        if how(person, **options, if_exists="overwrite") == KILLED:
            left.append(person)
        choose.shuffle(left)
        while left and choose.random() < 0.5:
            finish(choose, left.pop())
    for person in left:
        finish(choose, person)
    assert rows(common).items() <= digests(shared).items()
    for person in choose.sample(people, 3):
        if person.row().outcome == "completed":
            assert in_child(person.rollback) == 0
            assert rows(common).items() <= digests(shared).items()
    assert (rows(common), digests(shared)) == ({}, {})


def finish(choose: random.Random, person: Any) -> None:
    """Resume a run, and undo it if that is refused; or undo it at once."""
    if choose.random() < 0.3 or in_child(person.resume) != 0:
        assert in_child(person.rollback) == 0
