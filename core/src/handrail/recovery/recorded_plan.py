"""What the recorded plan of a run says, read only as far as it is asked for. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.plan.plan import Plan

# A plan has megabytes in a long run, and tells what it is in its first line.
_HEAD = re.compile(r'\{"action":("(?:[^"\\]|\\.)*"),"fingerprint":"([0-9a-f]+)",')


@lru_cache(maxsize=1)
def _decoded(plan: str) -> Mapping[str, Any]:
    # It is long, and asked for more than once.
    decoded: Mapping[str, Any] = json.loads(plan)
    return decoded


def _head(plan: str) -> tuple[str, str]:
    found = _HEAD.match(plan)
    if found is None:
        decoded = _decoded(plan)
        return str(decoded.get("action", "")), str(decoded.get("fingerprint", ""))
    return str(json.loads(found[1])), found[2]


def action_of(plan: str) -> str:
    """Return the action that a recorded plan is of.

    It is not what the run is filed under: that is how the command line finds the action, such as
    `flows.py:nightly`.
    """
    return _head(plan)[0]


def is_of(plan: str, now: Plan) -> bool:
    """Whether a recorded plan has the steps, layers and versions of packs that `now` has."""
    return _head(plan) == (now.action, now.fingerprint)


def fingerprint_of(plan: str) -> str:
    """Return the fingerprint of a recorded plan."""
    return _head(plan)[1]


def origins_of(plan: str) -> Iterator[Mapping[str, Any]]:
    """Yield the origin of each step and layer of a recorded plan that a pack brought."""
    for step in steps_of(plan):
        for each in (step, *step.get("layers", ())):
            if each["origin"]["pack"]:
                yield each["origin"]


def steps_of(plan: str) -> Sequence[Mapping[str, Any]]:
    """Return what a recorded plan says of its steps."""
    steps: Sequence[Mapping[str, Any]] = _decoded(plan)["steps"]
    return steps
