"""The files of claims: extents that miss no shared key, lists and states that come back whole."""

from __future__ import annotations

import gzip
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_storage import StorageError
from handrail_storage.backend.contents import Content
from handrail_storage.claims import (
    Claimant,
    ClaimState,
    Held,
    HeldList,
    Mark,
    State,
    WantedList,
    forget_cache,
    lists,
    parse_mark,
)
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.lists import Beside, Lines, digest_of
from handrail_storage.containment import below, plainly_below

PART = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=6
).filter(lambda part: part not in (".", ".."))
KEY = st.lists(PART, min_size=1, max_size=3).map("/".join)
KEYS = st.sets(KEY, max_size=30)
DIGEST = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@given(theirs=KEYS, mine=KEYS)
def test_an_extent_misses_no_shared_key(theirs, mine):
    extent = Keys.of(theirs).extent
    if theirs & mine:
        assert extent.may_share(Keys.of(mine))
    if not theirs or not mine:
        assert not extent.may_share(Keys.of(mine))


def test_an_extent_rules_out_keys_before_and_behind_it():
    extent = Keys.of(["b/1", "b/2"]).extent
    assert [extent.may_share(Keys.of([key])) for key in ("a", "b/1", "b/11", "b/2", "b/3")] == [
        *(False, True, True, True, False)
    ]


@given(st.dictionaries(KEY, st.none() | DIGEST))
def test_a_list_of_wanted_keys_comes_back(wanted):
    """With odd characters too; its digest is that of what it says, not of its compression."""
    listed = WantedList.of(wanted)
    digest, content = listed.packed()
    if wanted:
        again = Content(gzip.compress(gzip.decompress(content.read())))
        assert digest == digest_of(content) == digest_of(again)
        assert digest == WantedList.unpacked(content).packed()[0]
    assert sorted(rows_of(WantedList.unpacked(content))) == sorted(map(list, wanted.items()))


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
    digest, content = HeldList.of(held).packed()
    other, others = HeldList.of(otherwise).packed()
    assert (digest, content.read()) == (other, others.read())
    assert set(map(Held.of, rows_of(HeldList.unpacked(content)))) == set(held)


def rows_of(lines: Lines):
    return [row for page in lines.rows() for row in page]


@given(
    st.lists(KEYS, min_size=1, max_size=3),
    KEYS,
    st.integers(1, 7),
)
def test_two_lists_are_read_side_by_side(rounds, theirs, size):
    """Each key of one list finds all that the other has, wherever pages end, and if read again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "PAGE", size)
        listed = HeldList.of(Held(key=key, size=size) for key in theirs for size in (1, 2))
        beside = Beside(lambda: listed)
        for keys in rounds:
            found = {}
            for page in WantedList.of(dict.fromkeys(keys)).rows():
                beside.turn_to([key for key, _ in page])
                found |= {key: rows for key, _ in page if (rows := beside.under(key))}
            twice = {key: [[key, 1, None, None], [key, 2, None, None]] for key in keys & theirs}
            assert found == twice


@pytest.mark.parametrize(
    "text",
    [
        b"x\n",
        b"5\n",
        b"[]\n",
        b'["a"]\n',
        b'["a",1]\n',
        b'["a",null,null]\n',
        b'["a",null]',
        b'["b",null]\n["a",null]\n',
        b'["/a",null]\n',
        b'["a/../../b",null]\n',
        b'["a","\xff"]\n',
    ],
)
def test_what_is_no_list_is_refused(text):
    """Also one whose lines are not in order, beside which keys would be missed."""
    with pytest.raises(StorageError, match="is damaged: "):
        rows_of(WantedList.unpacked(Content(gzip.compress(text))))


def test_what_is_cut_off_is_no_list():
    with pytest.raises(StorageError, match="is damaged: "):
        rows_of(WantedList.unpacked(Content(gzip.compress(b'["a",null]\n')[:-4])))


@given(st.lists(KEY | st.text(max_size=4), min_size=1, max_size=8))
def test_many_keys_are_checked_at_once_as_each_is(keys):
    """What is told of all at once is true of each."""
    if plainly_below(keys):
        assert [below(key) for key in keys] == keys


@given(
    number=st.none() | st.integers(1, 10**6),
    texts=st.tuples(*[st.text(max_size=8)] * 4),
    state=st.sampled_from(State),
    flags=st.tuples(*[st.booleans()] * 5),
    until=st.none() | st.integers(0, 4 * 10**12),
    held=st.none() | DIGEST,
    earlier=st.lists(DIGEST, max_size=2),
    times=st.tuples(*[st.integers(0, 4 * 10**12)] * 2),
)
def test_a_state_comes_back(number, texts, state, flags, until, held, earlier, times):
    """Times to a millisecond."""
    host, user, journal, action = texts
    wants_undo, known, sealed, freed, dropped = flags
    written = ClaimState(
        claimant=Claimant(
            run="r-1", number=number, host=host, user=user, journal=journal, action=action
        ),
        state=state,
        epoch="0123456789abcdef",
        owner="me",
        since=times[0] / 1000,
        renewed=times[1] / 1000,
        keys=Keys.of(["a"]).extent,
        wanted="0" * 64,
        held=held,
        earlier=tuple(earlier),
        known=known,
        wants_undo=wants_undo,
        sealed=sealed,
        freed=freed,
        until=None if until is None else until / 1000,
        dropped=dropped,
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", "../epoch"),
        ("wanted", "../list"),
        ("held", "0" * 63),
        ("earlier", ["x"]),
        ("renewed", float("nan")),
        ("until", 1e300),
        ("sealed", "no"),
    ],
)
def test_a_state_with_a_senseless_value_is_refused(name, value):
    """Some become names of files, and others the times after which an undo begins."""
    state = ClaimState(
        claimant=Claimant(run="r-1"),
        state=State.HOLDS,
        epoch="0123456789abcdef",
        owner="me",
        since=1.0,
        renewed=1.0,
        keys=Keys.of(["a"]).extent,
        wanted="0" * 64,
    )
    document = json.loads(state.to_json())
    assert ClaimState.from_json(json.dumps(document).encode(), "r-1") == state
    with pytest.raises(ValueError, match=r"it names no|in place of"):
        ClaimState.from_json(json.dumps({**document, name: value}).encode(), "r-1")


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
    digest, content = WantedList.of({"a": None}).packed()
    cache = Cache(tmp_path)
    cache.keep(digest, content)
    known = cache.read(digest)
    assert known is not None
    assert known.read() == content.read()
    (tmp_path / f"{digest}.gz").write_bytes(b"damaged")
    assert Cache(tmp_path).read(digest) is None
    (tmp_path / "file").touch()
    Cache(tmp_path / "file").keep(digest, content)
    assert Cache(tmp_path / "file").read(digest) is None


def test_a_cache_keeps_only_what_was_used_last(tmp_path):
    """So that it does not grow for ever."""
    cache = Cache(tmp_path)
    for number in range(110):
        cache.keep(*WantedList.of({f"k{number}": None}).packed())
    assert len(list(tmp_path.glob("*.gz"))) == 100


def test_a_preview_uses_a_cache_and_does_not_touch_it(tmp_path):
    """Neither a file nor the time of one is another one afterwards."""
    digest, content = WantedList.of({"a": None}).packed()
    folder = tmp_path / "claims"
    preview = Cache(folder, writes=False)
    preview.keep(digest, content)
    preview.keep_states("s3://a/b", [])
    assert not folder.exists()
    Cache(folder).keep(digest, content)
    os.utime(folder / f"{digest}.gz", (1, 1))
    assert Cache(folder, writes=False).read(digest) is not None
    assert (folder / f"{digest}.gz").stat().st_mtime == 1
    assert [path.name for path in folder.iterdir()] == [f"{digest}.gz"]


def test_a_cache_is_forgotten_with_what_a_kill_has_left(tmp_path):
    """Its folder goes too, unless somebody else has put something there."""
    folder = tmp_path / "claims"
    cache = Cache(folder)
    for name in (None, "notes.txt"):
        cache.keep(*WantedList.of({"a": None}).packed())
        cache.keep_states("s3://bucket", [])
        (folder / "abc.gz.4711.tmp").write_bytes(b"half")
        if name is not None:
            (folder / name).touch()
        forget_cache(folder)
        assert [path.name for path in folder.glob("*")] == [name] * (name is not None)
        assert folder.exists() is (name is not None)
