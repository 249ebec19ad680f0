"""A lock never differs from itself, and every change of what it holds is found."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from handrail.builtin.project.differences import changes, drift, is_part, mark_of
from handrail.builtin.project.lock_file import LockedAction, LockedPack, LockedStep
from handrail.frozen import replace

ERRORS = Path(__file__).parents[3] / "docs" / "reference" / "errors.md"

words = st.text('abcxyz_-.é"\\\n', min_size=1, max_size=6)
packs = st.builds(
    LockedPack,
    id=words,
    version=words,
    record=st.sampled_from(["editable", "sha256:1", "sha256:2"]),
)
lanes = st.sampled_from([(None, None), ("a", 0), ("a", 1), ("b", 0)])
steps = st.builds(
    lambda lane, **given: LockedStep(**given, group=lane[0], lane=lane[1]),
    lanes,
    name=words,
    pack=st.none() | words,
    layers=st.lists(words, max_size=3).map(tuple),
)
actions = st.builds(
    LockedAction,
    name=words,
    pack=st.none() | words,
    params=st.lists(words, max_size=2).map(tuple),
    packs=st.lists(packs, max_size=5, unique_by=lambda each: each.id).map(tuple),
    steps=st.lists(steps, max_size=8, unique_by=lambda each: each.name).map(tuple),
)


def action(*names, **more):
    return LockedAction(name="upload", steps=tuple(LockedStep(name=each) for each in names), **more)


def kinds(old, new):
    return [(change.code, change.message.partition(" ")[0]) for change in changes(old, new)]


@given(locked=actions)
def test_a_lock_never_differs_from_itself(locked):
    """Whatever is in it."""
    assert changes(locked, locked) == []


@given(old=actions, new=actions)
def test_every_difference_is_found(old, new):
    """There are changes exactly where steps or packs are not the same."""
    same = old.steps == new.steps and set(old.packs) == set(new.packs)
    assert (changes(old, new) == []) == same


@given(locked=actions.filter(lambda each: each.packs), data=st.data())
def test_every_change_of_a_pack_is_drift(locked, data):
    """Another version or digest, or a pack that is gone."""
    place = data.draw(st.integers(0, len(locked.packs) - 1))
    pack = locked.packs[place]
    changed = data.draw(
        st.sampled_from(
            [(), (replace(pack, version="other"),), (replace(pack, record="sha256:x"),)]
        )
    )
    others = (*locked.packs[:place], *changed, *locked.packs[place + 1 :])
    (problem,) = drift(locked, replace(locked, packs=others))
    assert pack.id in problem.message


@given(whole=actions, data=st.data())
def test_a_part_has_steps_of_the_whole_in_their_order(whole, data):
    """Any of them may be left out; one that was changed, moved or comes twice is not of it."""
    kept = [step for step in whole.steps if data.draw(st.booleans())]
    assert is_part(replace(whole, steps=tuple(kept)), whole)
    for step in kept:
        changed = replace(step, layers=(*step.layers, "another"))
        others = tuple(changed if each is step else each for each in kept)
        assert not is_part(replace(whole, steps=others), whole)
        assert not is_part(replace(whole, steps=(*kept, step)), whole)
    if len(kept) > 1:
        assert not is_part(replace(whole, steps=tuple(kept[::-1])), whole)


@given(order=st.permutations(list("abcdefg")))
def test_moves_that_explain_an_order_are_told(order):
    """The steps of which none is told stand as they did."""
    old, new = list("abcdefg"), list(order)
    moved = [what for kind, what in kinds(action(*old), action(*new)) if kind == "step-moved"]
    stayed = [name for name in new if name not in moved]
    assert stayed == sorted(stayed)
    assert (moved == []) == (old == new)


def grouped(*lanes):
    return LockedAction(
        name="upload",
        steps=tuple(
            LockedStep(name=name, group="media", lane=number)
            for number, lane in enumerate(lanes)
            for name in lane
        ),
    )


def test_a_step_in_another_lane_is_a_change_with_both_places():
    """Also if its place in the flat plan is the same, and if the group came or went."""
    (change,) = changes(grouped("ab", "c"), grouped("a", "bc"))
    assert (change.code, change.message) == (
        "step-lane",
        "b is in lane 2 of media, and was in lane 1 of media",
    )
    assert changes(grouped("a"), action("a"))[0].message == (
        "a is in no group, and was in lane 1 of media"
    )


def test_a_part_without_one_of_the_lanes_is_a_part_and_one_with_other_lanes_is_none():
    """The lanes that remain are numbered anew, so only which steps share one can be compared."""
    whole = grouped("ab", "cd", "ef")
    assert is_part(grouped("b", "ef"), whole)
    assert is_part(grouped("cd"), whole)
    assert not is_part(grouped("bc"), whole)
    assert not is_part(grouped("a", "b"), whole)
    assert not is_part(action("a"), whole)


def test_a_step_that_is_put_to_the_front_is_one_move():
    """Not a move of all the others."""
    (change,) = changes(action("a", "b", "c"), action("c", "a", "b"))
    assert change.message == "c was after b, and is first"


def test_steps_that_come_and_go_are_told_with_their_pack_and_place():
    """Version included."""
    old = replace(action("find", "send"), packs=(LockedPack(id="acme-a", version="1.0"),))
    new = replace(
        old,
        packs=(*old.packs, LockedPack(id="acme-scan", version="1.4.0")),
        steps=(LockedStep(name="find"), LockedStep(name="scan", pack="acme-scan")),
    )
    assert [f"{mark_of(each)} {each.message}" for each in changes(old, new)] == [
        "- send (own code) is gone",
        "+ scan (acme-scan 1.4.0) is new, after find",
        "+ acme-scan 1.4.0 is new",
    ]


def test_a_new_pack_that_changes_nothing_is_no_drift():
    """It is worth a line after a run, and no reason to refuse one."""
    old = action("send")
    assert drift(old, replace(old, packs=(LockedPack(id="acme-a", version="1"),))) == ()


def test_layers_and_owners_are_compared():
    """By their packs too."""
    old = action("send")
    wrapped = replace(old, steps=(LockedStep(name="send", layers=("acme-a:timing",)),))
    assert changes(old, wrapped)[0].message == "send has the layers acme-a:timing(·), and had ·"
    taken = replace(old, steps=(LockedStep(name="send", pack="acme-a"),))
    assert changes(old, taken)[0].message == "send is from acme-a, and was from own code"


def test_files_that_changed_under_one_version_are_told_apart():
    """Another digest, and another way of installing."""

    def description(was, now):
        old, new = (
            replace(action(), packs=(LockedPack(id="acme-a", version="1", record=each),))
            for each in (was, now)
        )
        return changes(old, new)[0].message

    assert "its RECORD differs" in description("sha256:1", "sha256:2")
    assert (
        description("sha256:1", "editable")
        == "acme-a 1 is an editable install, and was an installed wheel"
    )


def test_every_kind_of_change_is_documented():
    """They are codes of problems."""
    text = ERRORS.read_text(encoding="utf-8")
    of_steps = ["added", "gone", "moved", "owner", "layers", "lane"]
    codes = [f"step-{each}" for each in of_steps] + ["pack-gone", "pack-version", "pack-files"]
    assert [code for code in codes if f"| `{code}` |" not in text] == []


def test_a_step_is_labelled_with_the_version_that_has_it():
    """A new step with the new version of its pack, one that is gone with the old version."""

    def locked(step, version):
        return LockedAction(
            name="upload",
            steps=(LockedStep(name=step, pack="acme-scan"),),
            packs=(LockedPack(id="acme-scan", version=version, record="editable"),),
        )

    told = [each.message for each in changes(locked("old", "1.0"), locked("new", "2.0"))]
    assert told == [
        "old (acme-scan 1.0) is gone",
        "new (acme-scan 2.0) is new, first",
        "acme-scan is 2.0, and was 1.0",
    ]
