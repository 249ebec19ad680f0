"""The files of claims: summaries that miss no shared key, lists and states that come back whole."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_storage.claims import Claimant, ClaimState, Held, Mark, State, Wanted, parse_mark
from handrail_storage.claims import summary as summaries
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.lists import (
    digest_of,
    pack_held,
    pack_wanted,
    unpack_held,
    unpack_wanted,
)
from handrail_storage.claims.summary import Keys, Summary

PART = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=6
).filter(lambda part: part not in (".", ".."))
KEY = st.lists(PART, min_size=1, max_size=3).map("/".join)
KEYS = st.sets(KEY, max_size=30)
DIGEST = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@pytest.mark.parametrize("most", [0, 3, 4000])
@given(theirs=KEYS, mine=KEYS)
def test_a_summary_misses_no_shared_key(most, theirs, mine):
    """Whether its filter is of keys, of folders, or of nothing as there are too many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summaries, "_MOST", most)
        summary = Summary.from_dict(Summary.of(Keys(theirs)).to_dict())
    if theirs & mine:
        assert summary.may_share(Keys(mine))
    if not theirs or not mine:
        assert not summary.may_share(Keys(mine))


def test_a_summary_rules_out_most_runs_with_other_keys():
    """Names of one night are not those of another, though they lie between them."""
    summary = Summary.of(Keys(f"night-{number}/x" for number in range(0, 200, 2)))
    others = [Keys([f"night-{number}/x"]) for number in range(1, 199, 2)]
    assert sum(map(summary.may_share, others)) < 10


@given(st.lists(st.builds(Wanted, key=KEY, sha256=st.none() | DIGEST), unique_by=lambda w: w.key))
def test_a_list_of_wanted_keys_comes_back(wanted):
    """With odd characters too; its digest is that of what it says, not of its compression."""
    digest, content = pack_wanted(wanted)
    if wanted:
        assert digest == digest_of(content) == digest_of(gzip.compress(gzip.decompress(content)))
        assert sorted(map(repr, unpack_wanted(content))) == sorted(map(repr, wanted))


@given(
    st.lists(
        st.builds(
            Held,
            key=KEY,
            size=st.integers(0, 2**62),
            sha256=st.none() | DIGEST,
            etag=st.none() | st.text(max_size=5),
        ),
        unique_by=lambda held: held.key,
    ).flatmap(lambda held: st.tuples(st.just(held), st.permutations(held)))
)
def test_equal_lists_of_held_objects_have_one_digest(two):
    """In whatever order the files were found."""
    held, otherwise = two
    assert pack_held(held) == pack_held(otherwise)
    if held:
        assert set(unpack_held(pack_held(held)[1])) == set(held)


@given(
    number=st.none() | st.integers(1, 10**6),
    texts=st.tuples(*[st.text(max_size=8)] * 4),
    state=st.sampled_from(State),
    flags=st.tuples(*[st.booleans()] * 4),
    held=st.none() | DIGEST,
    earlier=st.lists(DIGEST, max_size=2),
    times=st.tuples(*[st.integers(0, 4 * 10**12)] * 2),
)
def test_a_state_comes_back(number, texts, state, flags, held, earlier, times):
    """Times to a millisecond."""
    host, user, journal, action = texts
    wants_undo, known, sealed, freed = flags
    written = ClaimState(
        claimant=Claimant(
            run="r-1", number=number, host=host, user=user, journal=journal, action=action
        ),
        state=state,
        epoch="0123456789abcdef",
        owner="me",
        since=times[0] / 1000,
        renewed=times[1] / 1000,
        keys=Summary.of(Keys(["a"])),
        wanted="0" * 64,
        held=held,
        earlier=tuple(earlier),
        known=known,
        wants_undo=wants_undo,
        sealed=sealed,
        freed=freed,
    )
    assert ClaimState.from_json(written.to_json(), "r-1") == written


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'{"schema": 2}', b'{"schema": 1, "state": "x"}', b"\xff", b"1e9"],
)
def test_what_is_no_state_is_refused(content):
    """With an error that can be told, whatever is wrong."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        ClaimState.from_json(content, "r-1")


@given(step=st.text(min_size=1, max_size=20))
def test_a_mark_comes_back(step):
    """Whatever the step is called."""
    mark = Mark(epoch="0123456789abcdef", run="r-1", step=step)
    assert parse_mark(str(mark)) == mark


@pytest.mark.parametrize(
    "text", [None, "", "run/step", "c1:xyz:run/step", "c2:0123456789abcdef:r/s"]
)
def test_older_marks_are_none_of_ours(text):
    """Nor are those of later protocols."""
    assert parse_mark(text) is None


def test_a_damaged_cache_is_not_believed(tmp_path):
    """What is kept is checked against its digest; a folder that cannot be written keeps nothing."""
    digest, content = pack_wanted([Wanted(key="a")])
    cache = Cache(tmp_path)
    cache.keep(digest, content)
    assert cache.read(digest) == content
    (tmp_path / f"{digest}.gz").write_bytes(b"damaged")
    assert cache.read(digest) is None
    (tmp_path / "file").touch()
    Cache(tmp_path / "file").keep(digest, content)
    assert Cache(tmp_path / "file").read(digest) is None


def test_a_cache_keeps_only_what_was_used_last(tmp_path):
    """So that it does not grow for ever."""
    cache = Cache(tmp_path)
    for number in range(110):
        cache.keep(*pack_wanted([Wanted(key=f"k{number}")]))
    assert len(list(tmp_path.glob("*.gz"))) == 100
