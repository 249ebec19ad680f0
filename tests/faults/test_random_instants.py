"""Kill -9 at random instants, by another process: in a step, in the engine, in SQLite."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from killing.trial import KILLED, Trial

INSTANTS = int(os.environ.get("HANDRAIL_FAULTS", "8"))


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("seed", range(INSTANTS))
def test_killed_at_a_random_instant(
    make_trial: Callable[..., Trial], reference: Any, servers: Any, seed: int, way: str
) -> None:
    """Every third run fails, and may be undoing by then."""
    if servers.kind == "servers" and seed % 2 == (way == "resume"):
        pytest.skip("servers are slow: at each instant one way")
    chance = random.Random(f"{seed} {way}")
    trial = make_trial()
    fail = "sum" if seed % 3 == 0 else ""
    answer = trial.run(fail=fail, after=chance.uniform(0, reference.took * (1.4 if fail else 1)))
    if answer["code"] == KILLED:
        trial.ends(way, reference.world, fails=fail != "")
    elif fail:
        assert (answer["code"], trial.world()) == (1, trial.before)
    else:
        assert answer["code"] == 0
        trial.complete(reference.world)
