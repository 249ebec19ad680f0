"""All that can happen to a few runs that share a target, in a model of their requests.

Processes are killed at every request and go on or undo, as often as one likes; the requests of all
come in every order. This shows that the rules are right; that they are kept is for other tests.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from claims_model.explore import explore
from claims_model.scenario import Rule, Scenario
from claims_model.target import Object

# It is about rules, not about versions: once is enough.
pytestmark = pytest.mark.slow

FOREIGN = (Object(9),)
EQUAL = ((1,), (1,))
DIFFERENT = ((1,), (2,))
APART = ((1, None), (None, 1))
NOTHING = (None, None)
POLITE = (False, False, False)

ALONE = {
    "alone": Scenario(wants=((1,),), objects=FOREIGN, foreign=2),
    "alone, with a source that changes": Scenario(
        wants=((1,),), objects=FOREIGN, unknown=(True,), otherwise=(3,)
    ),
}
SMALL = {
    **ALONE,
    "equal files": Scenario(wants=EQUAL, kills=1),
    "equal files, pruned": Scenario(wants=EQUAL, prunes=frozenset({0, 1}), kills=1),
    "equal files, learned late": Scenario(wants=EQUAL, unknown=(True, False), kills=0),
    "different files over a foreign one": Scenario(wants=DIFFERENT, objects=FOREIGN, kills=0),
    "different files, nothing overwritten": Scenario(wants=DIFFERENT, overwrites=POLITE, kills=0),
    "all given up": Scenario(wants=APART, objects=FOREIGN * 2, overwrites=POLITE),
    "pruned beside each other": Scenario(
        wants=APART, objects=NOTHING, prunes=frozenset({0, 1}), kills=0
    ),
}
LARGE = {
    "equal files": Scenario(wants=EQUAL),
    "equal files over a foreign one": Scenario(wants=EQUAL, objects=FOREIGN),
    "equal files and somebody else": Scenario(wants=EQUAL, foreign=1),
    "equal files, learned late": Scenario(wants=EQUAL, unknown=(True, True)),
    "no key in common": Scenario(wants=APART, objects=NOTHING),
    "different files over a foreign one": Scenario(wants=DIFFERENT, objects=FOREIGN, kills=2),
    "without conditional requests": Scenario(wants=EQUAL, conditional=False),
    "different files, pruned": Scenario(
        wants=DIFFERENT, objects=FOREIGN, prunes=frozenset({0, 1}), kills=1
    ),
    "different files and somebody else": Scenario(wants=DIFFERENT, foreign=1, kills=1),
    "a source that changes": Scenario(
        wants=DIFFERENT, unknown=(True, True), otherwise=(3, None), kills=1
    ),
}
WIDE = {
    "different files over a foreign one": Scenario(wants=DIFFERENT, objects=FOREIGN),
    "different files, without conditional requests": Scenario(wants=DIFFERENT, conditional=False),
    "a source that changes": Scenario(
        wants=DIFFERENT, unknown=(True, True), otherwise=(3, None), kills=2
    ),
    "two keys": Scenario(wants=((1, 1), (1, 2)), objects=(*FOREIGN, None), kills=1),
    "three runs, one that wants nothing": Scenario(
        wants=((None,), (1,), (1,)), overwrites=POLITE, kills=0
    ),
}

DROPPED = {
    Rule.ASK_FIRST: "equal files",
    Rule.REFUSE_UNDO: "equal files",
    Rule.STILL_RELIES: "equal files",
    Rule.WANT_UNDO: "equal files",
    Rule.RELIANCE: "equal files",
    Rule.CHAIN: "different files over a foreign one",
    Rule.OWN_MARK: "alone, with a source that changes",
    Rule.STALE_ASIDE: "alone",
    Rule.LIST_AGAIN: "equal files",
    Rule.ANCHOR: "equal files",
    Rule.LEAVE: "equal files",
    Rule.REFER_FIRST: "alone",
    Rule.EARLIER_LISTS: "alone, with a source that changes",
    Rule.NO_EMPTY_LIST: "all given up",
    Rule.KEEP_LISTS: "equal files",
    Rule.KEEP_LISTS_OF_KEPT: "equal files, pruned",
    Rule.LIST_LAST: "alone",
    Rule.MISSING_LIST: "alone",
    Rule.KEPT_LAST: "equal files, pruned",
    Rule.SWAP_KEPT: "pruned beside each other",
    Rule.MERGE_FIRST: "equal files, pruned",
}
WIDELY_DROPPED = {
    Rule.REFUSE_RUN: WIDE["different files over a foreign one"],
    Rule.SAME_EPOCH: WIDE["three runs, one that wants nothing"],
}

only_wide = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="it takes minutes")


def hold(scenario: Scenario) -> None:
    explored = explore(scenario)
    assert explored.problem is None, str(explored)


@pytest.mark.parametrize("scenario", SMALL.values(), ids=SMALL)
def test_a_few_runs_beside_each_other_lose_nothing_and_leave_nothing(scenario: Scenario) -> None:
    """What a completed run relies on is there, undone runs leave nothing, foreign files stay."""
    hold(scenario)


@only_wide
@pytest.mark.slow
@pytest.mark.parametrize("scenario", LARGE.values(), ids=LARGE)
def test_so_it_is_with_more_that_can_happen(scenario: Scenario) -> None:
    """The same where there are more worlds."""
    hold(scenario)


@only_wide
@pytest.mark.slow
@pytest.mark.parametrize("scenario", WIDE.values(), ids=WIDE)
def test_so_it_is_with_as_many_as_one_can_wait_for(scenario: Scenario) -> None:
    """The same where there are millions of worlds."""
    hold(scenario)


def without(rule: Rule, scenario: Scenario) -> str | None:
    return explore(replace(scenario, dropped=frozenset({rule}))).problem


@pytest.mark.parametrize(("rule", "name"), DROPPED.items())
def test_each_rule_is_needed(rule: Rule, name: str) -> None:
    """Without any one of the rules something is lost or left, so the model would notice."""
    assert without(rule, SMALL[name]) is not None


@only_wide
@pytest.mark.slow
@pytest.mark.parametrize(("rule", "scenario"), WIDELY_DROPPED.items())
def test_the_other_rules_are_needed_too(rule: Rule, scenario: Scenario) -> None:
    """What each of these is for shows only late."""
    assert without(rule, scenario) is not None
