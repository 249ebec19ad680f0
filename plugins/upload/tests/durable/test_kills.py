"""An upload that is killed at any instant is finished, or undone, by one command."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

KILLED = -signal.SIGKILL

# All instants together take half an hour; without HANDRAIL_FAULTS it is some of them.
FULL = "HANDRAIL_FAULTS" in os.environ
STEP, ROUNDS = (1, 12) if FULL else (5, 2)
WRITES = 1 if FULL else 16  # Of those one, by each of the eight tests that do so.
CHANGES = 1 if FULL else 17


def points(scene: Any, shift: bool, step: int = STEP, first: int = 1) -> Iterator[int]:
    """Return the numbers of the writes to die at; at a server, which is slow, one half of them.

    The other half is what `shift` gives: each write has its turn, some before it and some after.
    """
    local = not scene.place.environment
    return count(first, step) if local else count(1 + step * shift, 2 * step)


def number_of(when: str, way: str, if_exists: str) -> int:
    """Return the number of a test among the eight that die in each way."""
    return 4 * (when == "after") + 2 * (way == "rollback") + (if_exists == "overwrite")


ways = pytest.mark.parametrize("way", ["resume", "rollback"])
kinds = pytest.mark.parametrize("if_exists", ["same", "overwrite"])


@ways
@kinds
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_write_of_the_journal(
    scene: Any, make_upload: Any, fill: Any, when: str, way: str, if_exists: str
) -> None:
    shift = (when, way) in (("before", "resume"), ("after", "rollback"))
    first = 1 + 2 * number_of(when, way, if_exists) % WRITES
    for at in points(scene, shift, WRITES, first):
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        if upload.do("run", at=at, when=when)["code"] != KILLED:
            break
        upload.go_on(way, before)
    assert at > 10


@ways
@kinds
@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_killed_before_each_change_of_a_folder(
    scene: Any, make_upload: Any, fill: Any, way: str, if_exists: str
) -> None:
    """Also between a file and its name, its label, or what it replaces."""
    for number in count(1 if FULL else 1 + 5 * (way == "resume"), CHANGES):
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        if upload.do("run", change=number)["code"] != KILLED:
            break
        if upload.recorded() is None:
            assert upload.world() == before
        else:
            upload.go_on(way, before)
    assert number > 20


@kinds
@pytest.mark.parametrize("what", ["resume", "rollback"])
@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_killed_again_before_each_change_of_a_folder(
    scene: Any, make_upload: Any, fill: Any, what: str, if_exists: str
) -> None:
    """A resume and an undo that are cut short there are gone on with as well."""
    for number in count(1, CHANGES):
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        assert upload.do("run", call="put", nth=9, when="after")["code"] == KILLED
        if upload.do(what, change=number)["code"] != KILLED:
            break
        if upload.outcome == "rolled_back":  # The journal alone was not closed yet.
            assert upload.world() == before
        else:
            upload.go_on(what if number // CHANGES % 2 else "rollback", before)
    assert number > 10


@ways
@kinds
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_each_put(
    scene: Any, make_upload: Any, fill: Any, when: str, way: str, if_exists: str
) -> None:
    some = (1 + 5 * (number_of(when, way, if_exists) % 3),)
    for put in range(1, 12) if FULL else some:
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        assert upload.do("run", call="put", nth=put, when=when)["code"] == KILLED
        upload.go_on(way, before)


@ways
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "nth"),
    [
        ("prepare", 1),
        ("probe", 1),
        ("ask", 1),
        ("create", 1),
        ("swap", 1),
        ("set_aside", 2),
        ("hold", 1),
        ("publish", 1),
        # The tables take 15 statements; then comparing begins, and rows are added.
        ("change", 16),
        ("change", 19),
        ("change", 23),
        ("change", 26),
    ],
)
def test_killed_around_other_effects(
    scene: Any, make_upload: Any, fill: Any, call: str, nth: int, when: str, way: str
) -> None:
    before = fill(scene, 10, replacing=True)
    upload = make_upload(scene, if_exists="overwrite")
    assert upload.do("run", call=call, nth=nth, when=when)["code"] == KILLED
    upload.go_on(way, before)


@ways
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "keep"),
    [("keep_replaced", "30d"), ("replaced", True), ("seal", False), ("remove_all", False)],
)
def test_killed_while_it_settles_what_it_has_replaced(
    scene: Any, make_upload: Any, fill: Any, call: str, keep: bool | str, when: str, way: str
) -> None:
    before = fill(scene, 10, replacing=True)
    upload = make_upload(scene, if_exists="overwrite", keep_replaced=keep)
    assert upload.do("run", call=call, nth=1, when=when)["code"] == KILLED
    upload.go_on(way, before)


@ways
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scene", ["local-sqlite"], indirect=True)
def test_killed_between_a_copy_and_its_name(
    scene: Any, make_upload: Any, fill: Any, when: str, way: str
) -> None:
    before = fill(scene, 10, replacing=True)
    upload = make_upload(scene, if_exists="overwrite")
    assert upload.do("run", call="carry", nth=2, when=when)["code"] == KILLED
    upload.go_on(way, before)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call",
    [
        *("undo", "remove", "put_over", "delete_found", "swap", "remove_all", "leave_folders"),
        "withdraw",
    ],
)
def test_killed_around_the_effects_of_an_undo(
    scene: Any, make_upload: Any, fill: Any, call: str, when: str
) -> None:
    before = fill(scene, 10, replacing=True)
    upload = make_upload(scene, if_exists="overwrite")
    assert upload.do("run", call="publish", nth=1, when="after")["code"] == KILLED
    assert upload.do("rollback", call=call, nth=1, when=when)["code"] == KILLED
    upload.go_on("rollback", before)


@ways
@kinds
def test_killed_at_random_instants(
    scene: Any, make_upload: Any, fill: Any, way: str, if_exists: str
) -> None:
    chance = random.Random(f"{way} {if_exists}")
    fill(scene, 40, replacing=if_exists == "overwrite")
    began = time.monotonic()
    assert make_upload(scene, if_exists=if_exists).do("run")["code"] == 0
    took = time.monotonic() - began
    for _ in range(ROUNDS):
        before = fill(scene, 40, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        killed = upload.do("run", after=chance.uniform(0.02, took))
        if killed["code"] == KILLED and upload.recorded() is not None:
            upload.go_on(way, before)
        elif killed["code"] == KILLED:
            assert upload.world() == before


@kinds
def test_killed_again_while_it_is_undone(
    scene: Any, make_upload: Any, fill: Any, if_exists: str
) -> None:
    for at in points(scene, if_exists == "overwrite"):
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        assert upload.do("run", call="put", nth=7)["code"] == KILLED
        killed = upload.do("rollback", at=at, when="after" if at // STEP // 2 % 2 else "before")
        if killed["code"] != KILLED:
            break
        if upload.outcome is None:
            upload.go_on("rollback", before)
        else:
            assert upload.world() == before
    assert at > 3


@kinds
def test_killed_again_while_it_is_resumed(
    scene: Any, make_upload: Any, fill: Any, if_exists: str
) -> None:
    for at in points(scene, if_exists == "overwrite"):
        before = fill(scene, 10, replacing=if_exists == "overwrite")
        upload = make_upload(scene, if_exists=if_exists)
        assert upload.do("run", call="put", nth=7)["code"] == KILLED
        killed = upload.do("resume", at=at, when="after" if at // STEP // 2 % 2 else "before")
        if killed["code"] != KILLED:
            break
        upload.go_on("rollback" if at // STEP % 3 else "resume", before)
    assert at > 3
