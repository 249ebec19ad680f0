"""Two runs that stand still, or are killed, at each of their requests, while another goes on."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest
from claims_steps.scene import FOREIGN, Scene

WIDE = "HANDRAIL_FAULTS" in os.environ
STEPS = (1, 1) if WIDE else (3, 2)  # At each request, or at some of them.


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What two runs do that want the same key.

    Attributes:
        first: What the first does: `run`, or `undo` or `prune` once it has completed.
        second: What the second does meanwhile.
        digest: The content that the second wants; the first wants 1.
        overwrites: Both do, and somebody else has put something there before.
    """

    first: str
    second: str
    digest: int = 1
    overwrites: bool = False

    def scene(self) -> Scene:
        """Return both, before they do it."""
        about = {"known": False, "overwrites": self.overwrites, "later": None}
        wants = [{"wants": {"a": each}, **about} for each in (1, self.digest)]
        scene = Scene(place(), "a", wants, [FOREIGN if self.overwrites else None])
        for run, command in zip(scene.runs, (self.first, self.second), strict=True):
            if command != "run":
                scene.begin(run, "run")
                scene.finish(run)
        return scene


SETUPS = {
    "undo beside an undo": Setup(first="undo", second="undo"),
    "undo beside a run": Setup(first="undo", second="run"),
    "run beside an undo": Setup(first="run", second="undo"),
    "undo beside a prune": Setup(first="undo", second="prune"),
    "prune beside an undo": Setup(first="prune", second="undo"),
    "run beside a run": Setup(first="run", second="run"),
    "run beside a run that overwrites": Setup(first="run", second="run", digest=2, overwrites=True),
    "undo beside a run that overwrites": Setup(
        first="undo", second="run", digest=2, overwrites=True
    ),
    "undo beside the undo of what it overwrote": Setup(
        first="undo", second="undo", digest=2, overwrites=True
    ),
}
setups = pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
kills = pytest.mark.parametrize("killed", [False, True])


def place() -> str:
    return f"memory://{uuid.uuid4().hex}/at"


def ends(scene: Scene, order: Sequence[int]) -> None:
    """Undo all, and check that everything is as it was."""
    try:
        scene.undo_all(order)
        scene.check_undone()
    except BaseException:
        print("\n".join(scene.log))
        raise
    finally:
        scene.close()


@kills
@setups
def test_one_goes_through_while_the_other_stands_still(setup: Setup, killed: bool) -> None:
    """For a while or for ever; then all is undone, the later one first."""
    for requests in count(1):
        scene = setup.scene()
        one, other = scene.runs
        scene.begin(one, setup.first)
        scene.go(one, requests)
        if one.actor is None:
            break
        if killed:
            scene.kill(one)
        scene.begin(other, setup.second)
        scene.finish(other)
        ends(scene, [1, 0])
    assert requests > 6


def take_turns(setup: Setup, first: int, second: int, killed: bool) -> tuple[bool, bool]:
    """Let each stand still once; return whether they did, or had ended before.

    A first one that is killed there begins again, and stands still once more.
    """
    scene = setup.scene()
    one, other = scene.runs
    scene.begin(one, setup.first)
    scene.go(one, first)
    stood = one.actor is not None
    if stood and killed:
        scene.kill(one)
    scene.begin(other, setup.second)
    scene.go(other, second)
    stands = other.actor is not None
    if stood and killed:
        scene.begin(one, scene.commands(one)[0])
        scene.go(one, second)
    scene.finish(other)
    scene.finish(one)
    ends(scene, [(first + second) % 2, (first + second + 1) % 2])
    return stood, stands


@kills
@pytest.mark.parametrize(
    "setup",
    [
        pytest.param(each, id=name, marks=() if name == "undo beside an undo" else pytest.mark.slow)
        for name, each in SETUPS.items()
    ],
)
def test_both_stand_still_in_turn(setup: Setup, killed: bool) -> None:
    """The one that is refused still has what it relies on; then all goes with the last of them."""
    for first in count(1, STEPS[0]):
        for second in count(1, STEPS[1]):
            stood, stands = take_turns(setup, first, second, killed)
            if not stands:
                break
        if not stood:
            break
    assert first > 6


@pytest.mark.parametrize("digest", [None, FOREIGN])
@pytest.mark.parametrize("way", ["resume", "undo", "finish"])
def test_somebody_else_acts_at_each_request(way: str, digest: int | None) -> None:
    """What they want there is there in the end, and nothing that they have taken away comes back.

    The run is killed then and goes on or is undone, or finishes; its source changes when it is
    killed.
    """
    for requests in count(1):
        about = {"wants": {"a": 1}, "known": False, "overwrites": True, "later": 3}
        scene = Scene(place(), "a", [about], [2])
        (run,) = scene.runs
        scene.begin(run, "run")
        scene.go(run, requests)
        if run.actor is None:
            break
        scene.others_put("a", digest)
        if way != "finish":
            scene.kill(run)
            scene.begin(run, way)
        scene.finish(run)
        ends(scene, [0])
    assert requests > 10


@pytest.mark.parametrize("wants", [{"a": 1}, {}])
def test_a_prune_goes_on_where_it_was_killed(wants: dict[str, int]) -> None:
    """At each request; where the run holds nothing, nothing is left either."""
    for requests in range(1, 8):
        about = {"wants": wants, "known": False, "overwrites": False, "later": None}
        scene = Scene(place(), "a", [about], [None])
        (run,) = scene.runs
        scene.begin(run, "run")
        scene.finish(run)
        scene.begin(run, "prune")
        scene.go(run, requests)
        if run.actor is not None:
            scene.kill(run)
            scene.begin(run, "prune")
            scene.finish(run)
        scene.check_undone()
