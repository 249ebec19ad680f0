"""An export that is killed at any instant is finished, or undone, by one command."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import count

import pytest

KILLED = -signal.SIGKILL

# All instants together take minutes; without HANDRAIL_FAULTS it is some of them.
FULL = "HANDRAIL_FAULTS" in os.environ
STEP, ROUNDS = (1, 12) if FULL else (9, 1)
CHANGES = 1 if FULL else 23

ways = pytest.mark.parametrize("way", ["resume", "rollback"])
again = pytest.mark.parametrize("what", ["resume", "rollback"])
kinds = pytest.mark.parametrize("kind", ["rows", "replacing", "pictures"])
only_full = pytest.mark.skipif(not FULL, reason="HANDRAIL_FAULTS is not set")
places = pytest.mark.parametrize(
    "place", ["folder", *(pytest.param(each, marks=only_full) for each in ("moto", "radosgw"))]
)


@ways
@kinds
def test_killed_at_writes_of_the_journal(make_scene, kind, way):
    scene = make_scene(kind)
    for at in count(1, STEP):
        scene.fresh()
        when = "after" if at // STEP % 2 else "before"
        if scene.do("run", at=at, when=when)["code"] != KILLED:
            break
        scene.go_on(way)
    assert at > 8


CALLS = [
    ("prepare", 1),
    ("write", 1),
    ("add", 1),
    ("_put", 1),
    ("_put", 2),
    ("_put", 3),
    ("flush", 1),
    ("settle", 1),
    ("put_wanted", 1),
    ("put", 1),
    ("put_held", 1),
    ("hold", 1),
]
REPLACING = [
    *(("set_aside", 1), ("set_aside", 3)),
    *(("seal", 1), ("delete_found", 1), ("discard_asides", 1)),
]
IN_A_FOLDER = [("carry", 1), ("carry", 2)]  # Between a copy and the name that it gets.


@ways
@places
def test_killed_around_effects(make_scene, place, way):
    """Before and after each kind of effect, for rows and pictures, also where it replaces."""
    for kind in ("replacing", "pictures") if FULL else ("replacing",):
        scene = make_scene(kind, place)
        more = REPLACING if kind == "replacing" else []
        if more and place == "folder":
            more = [*more, *IN_A_FOLDER]
        for number, (call, nth) in enumerate(CALLS + more):
            for when in ("before", "after") if FULL else (("before", "after")[number % 2],):
                scene.fresh()
                assert scene.do("run", call=call, nth=nth, when=when)["code"] == KILLED, call
                scene.go_on(way)


@ways
@places
def test_killed_while_it_settles_what_it_has_replaced(make_scene, place, way):
    """What is kept comes back afterwards, also what somebody else had put there."""
    scene = make_scene("keeping", place)
    for call in ("replaced", "keep_replaced"):
        for when in ("before", "after"):
            scene.fresh()
            assert scene.do("run", call=call, nth=1, when=when)["code"] == KILLED
            scene.go_on(way)
            assert scene.recorded().outcome == "rolled_back"


@places
def test_killed_while_it_is_undone(make_scene, place):
    """An undo that is cut short is done again."""
    scene = make_scene("replacing", place)
    calls = [("change", 1), ("change", 2), ("put_over", 1), ("put_over", 2), ("delete_found", 1)]
    for call, nth in [*calls, ("end", 1), ("remove_epoch_if_last", 1)]:
        for when in ("before", "after"):
            scene.fresh()
            assert scene.do("run", call="_put", nth=3, when="after")["code"] == KILLED
            if scene.do("rollback", call=call, nth=nth, when=when)["code"] == KILLED:
                scene.go_on("rollback")
            else:
                scene.check_undone()


@kinds
def test_killed_while_it_is_resumed(make_scene, kind):
    """What a second kill leaves is finished, or undone, as well."""
    scene = make_scene(kind)
    for at in count(1, STEP):
        scene.fresh()
        assert scene.do("run", call="_put", nth=2)["code"] == KILLED
        killed = scene.do("resume", at=at, when="after" if at // STEP % 2 else "before")
        if killed["code"] != KILLED:
            break
        scene.go_on("rollback" if at // STEP % 3 else "resume")
    assert at > 3


@ways
@kinds
def test_killed_at_random_instants(make_scene, kind, way):
    scene = make_scene(kind)
    chance = random.Random(f"{way} {kind}")
    scene.fresh()
    began = time.monotonic()
    assert scene.do("run")["code"] == 0
    took = time.monotonic() - began
    for _ in range(ROUNDS):
        scene.fresh()
        if scene.do("run", after=chance.uniform(0.02, took))["code"] == KILLED:
            scene.go_on(way)


@ways
def test_killed_at_an_object_storage(make_scene, way):
    """The marks of objects tell what a process that was killed had made."""
    scene = make_scene("replacing", "moto")
    for nth, when in ((2, "after"), (3, "before")):
        scene.fresh()
        assert scene.do("run", call="_put", nth=nth, when=when)["code"] == KILLED
        scene.go_on(way)


def test_resume_does_not_begin_anew(make_scene):
    """What was saved before the kill is not saved again, and what was converted not converted."""
    scene = make_scene("pictures")
    scene.fresh()
    assert scene.do("run", call="_put", nth=4, when="after")["code"] == KILLED
    first = scene.place.objects()
    assert scene.do("resume", call="write", nth=1)["code"] == 0  # It would have died there.
    after = scene.place.objects()
    kept = [name for name, found in first.items() if found != "folder" and "handrail" not in name]
    assert len(kept) >= 4
    assert all(after[name] == first[name] for name in kept)


def test_foreign_file_at_a_recorded_key(make_scene):
    """What somebody else has put where the run wanted to write is never touched."""
    scene = make_scene("pictures")
    scene.fresh()
    key = "images/scene_1.png"
    assert scene.do("run", call="_put", nth=1)["code"] == KILLED
    scene.place.put(key, b"theirs")
    answer = scene.do("resume")
    assert "is already at" in answer["message"]
    assert scene.place.contents()[key] == b"theirs"
    assert "images/scene_2.png" not in scene.place.contents()


@ways
@kinds
def test_killed_before_each_change_of_a_folder(make_scene, kind, way):
    """Also between a file and its name, its label, or what it replaces."""
    scene = make_scene(kind)
    for number in count(1, CHANGES):
        scene.fresh()
        if scene.do("run", change=number)["code"] != KILLED:
            break
        scene.go_on(way)
    assert number > 20


@kinds
@again
def test_killed_again_before_each_change_of_a_folder(make_scene, kind, what):
    """A resume and an undo that are cut short there are gone on with as well."""
    scene = make_scene(kind)
    for number in count(1, CHANGES):
        scene.fresh()
        assert scene.do("run", call="_put", nth=3, when="after")["code"] == KILLED
        if scene.do(what, change=number)["code"] != KILLED:
            break
        if scene.recorded().outcome == "rolled_back":  # The journal alone was not closed yet.
            scene.check_undone()
        else:
            scene.go_on(what if number // CHANGES % 2 else "rollback")
    assert number > 10
