"""A few runs beside each other on a real target, killed between any two of their requests.

A reference model says what each run relies on, and who has replaced it since. Whatever happens,
what a completed run relies on is there; once all is undone, what was there before is back, and
nothing of ours is left.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from claims_steps.scene import FOREIGN, Scene
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from killing.memory import folder_in_memory

WIDE = "HANDRAIL_FAULTS" in os.environ
EXAMPLES = int(os.environ.get("HANDRAIL_FAULTS", "40"))
KEYS = ("a", "b")

run_numbers = st.integers(0, 2)
contents = st.sampled_from([1, 2])


@st.composite
def wishes(draw: st.DrawFn, keys: int) -> dict[str, Any]:
    wanted = draw(st.lists(st.none() | contents, min_size=keys, max_size=keys))
    known = draw(st.booleans())
    return {
        "wants": {key: each for key, each in zip(KEYS, wanted, strict=False) if each is not None},
        "known": known,
        "overwrites": draw(st.booleans()),
        "later": None if known else draw(st.none() | st.just(3)),
    }


class Machine(RuleBasedStateMachine):
    """Runs that share a target."""

    place: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene | None = None

    @initialize(data=st.data(), runs=st.integers(2, 3), keys=st.integers(1, 2))
    def make(self, data: st.DataObject, runs: int, keys: int) -> None:
        wanted = [data.draw(wishes(keys)) for _ in range(runs)]
        before = st.sampled_from([None, FOREIGN, 1])
        foreign = [data.draw(before) for _ in range(keys)]
        self.order = data.draw(st.permutations(range(runs)))
        self.scene = Scene(type(self).place(), KEYS[:keys], wanted, foreign)

    def runs(self, number: int) -> Any:
        assert self.scene is not None
        return self.scene.runs[number % len(self.scene.runs)]

    @rule(number=run_numbers, undo=st.booleans(), requests=st.integers(0, 25))
    def begin(self, number: int, undo: bool, requests: int) -> None:
        run = self.runs(number)
        commands = [each for each in self.scene.commands(run) if each != "prune"]
        if commands:
            self.scene.begin(run, commands[-1] if undo else commands[0])
        self.scene.go(run, requests)

    @rule(number=run_numbers, requests=st.integers(0, 12))
    def prune(self, number: int, requests: int) -> None:
        run = self.runs(number)
        if "prune" in self.scene.commands(run):
            self.scene.begin(run, "prune")
            self.scene.go(run, requests)

    @rule(number=run_numbers, requests=st.integers(1, 12))
    def go_on(self, number: int, requests: int) -> None:
        self.scene.go(self.runs(number), requests)

    @rule(number=run_numbers)
    def finish(self, number: int) -> None:
        self.scene.finish(self.runs(number))

    @rule(number=run_numbers)
    def kill(self, number: int) -> None:
        run = self.runs(number)
        if run.actor is not None:
            self.scene.kill(run)

    @rule(key=st.integers(0, 1), digest=st.sampled_from([None, FOREIGN]))
    def somebody_else(self, key: int, digest: int | None) -> None:
        self.scene.others_put(self.scene.keys[key % len(self.scene.keys)], digest)

    def teardown(self) -> None:
        if self.scene is None:
            return
        try:
            self.scene.undo_all(self.order)
            self.scene.check_undone()
        except BaseException:
            for line in self.scene.log:
                note(line)
            raise
        finally:
            self.scene.close()


def check(place: Callable[[], str], examples: int) -> None:
    machine = type("Runs", (Machine,), {"place": staticmethod(place)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_on_a_folder() -> None:
    """Locally, where requests have no conditions but look before."""
    with folder_in_memory() as folder:
        check(lambda: str(folder / uuid.uuid4().hex), EXAMPLES)


def test_in_memory() -> None:
    """On an object storage with conditional requests, in this process."""
    check(lambda: f"memory://{uuid.uuid4().hex}/at", EXAMPLES)


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of the server that the test names."""
    server = request.getfixturevalue(request.param)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.bucket()}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "bucket",
    [
        "moto",
        pytest.param("radosgw", marks=pytest.mark.skipif(not WIDE, reason="it takes minutes")),
    ],
    indirect=True,
)
def test_on_a_server(bucket: str) -> None:
    """On S3; radosgw knows some of the conditions only."""
    check(lambda: f"{bucket}/{uuid.uuid4().hex}", max(6, EXAMPLES // 8))
