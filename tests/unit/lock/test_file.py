"""The lock as a file: readable, diffable, exact, and clear about what is wrong with it."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handrail.atomic import own_folder, replace_file
from handrail.builtin.project.lock_file import (
    LOCK_FILE,
    LockedAction,
    LockedPack,
    LockedStep,
    lock_text,
    parse_lock,
    read_lock,
    write_lock,
)
from handrail.errors import LockError

printable = st.characters(exclude_categories=["C", "Z"])
words = st.text(min_size=1, max_size=2) | st.text(printable, min_size=1, max_size=8)
actions = st.builds(
    LockedAction,
    name=words,
    pack=st.none() | words,
    params=st.lists(words, max_size=2).map(tuple),
    packs=st.lists(st.builds(LockedPack, id=words, version=words, record=words), max_size=3).map(
        tuple
    ),
    steps=st.lists(
        st.builds(
            lambda lane, **given: LockedStep(**given, group=lane[0], lane=lane[1]),
            st.just((None, None)) | st.tuples(words, st.integers(0, 9)),
            name=words,
            pack=st.none() | words,
            layers=st.lists(words, max_size=3).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
)
several = st.lists(actions, max_size=3, unique_by=lambda each: (each.name, each.pack))

UPLOAD = LockedAction(
    name="upload",
    pack="acme-upload",
    packs=(LockedPack(id="acme-upload", version="0.3.0", record="sha256:12"),),
    steps=(
        LockedStep(name="initialize", pack="acme-upload"),
        LockedStep(name="send", pack="acme-upload", layers=("acme-utils:timing", "retry")),
    ),
)


@pytest.mark.slow
@given(locked=several)
@example(locked=[LockedAction(name='a\x7f\x00"\\\n\u2028é')])
def test_what_is_written_is_what_is_read(locked):
    """Any names, quotes and control characters too; sorted by name."""
    read = parse_lock(lock_text(locked).encode())
    assert list(read) == sorted(locked, key=lambda each: (each.name, each.pack or ""))


def test_only_steps_of_groups_say_in_which_lane_they_are():
    """The lock of a plan without groups is what it was before there were any."""
    assert "group" not in lock_text([UPLOAD])
    step = LockedStep(name="resize", group="media", lane=1)
    assert '{ name = "resize", group = "media", lane = 1 },' in lock_text(
        [LockedAction(name="upload", steps=(step,))]
    )


@pytest.mark.slow
@given(locked=several)
def test_the_order_of_locking_leaves_no_trace(locked):
    """One set of actions has one text."""
    assert lock_text(locked) == lock_text(locked[::-1])


def test_a_lock_has_a_line_for_each_step():
    """So that a diff shows what comes and goes."""
    lines = lock_text([UPLOAD]).splitlines()
    assert lines[2:] == [
        "schema = 1",
        "",
        "[[actions]]",
        'name = "upload"',
        'pack = "acme-upload"',
        "packs = [",
        '  { id = "acme-upload", version = "0.3.0", record = "sha256:12" },',
        "]",
        "steps = [",
        '  { name = "initialize", pack = "acme-upload" },',
        '  { name = "send", pack = "acme-upload", layers = ["acme-utils:timing", "retry"] },',
        "]",
    ]


def test_no_lock_is_none(tmp_path):
    """Where there is no file, nothing is locked."""
    assert read_lock(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read: "),
        ("schema = true\n", "bool in place of int"),
        ("schema = 1\nactions = 3\n", "int in place of tuple"),
        ("schema = 1\nactions = [3]\n", "int in place of LockedAction"),
        ("schema = 1\n[[actions]]\n", "'name'"),
        ('schema = 1\n[[actions]]\nname = "a"\nsteps = [1]\n', "int in place of LockedStep"),
        ('schema = 1\n[[actions]]\nname = "a"\nsteps = [{ name = 1 }]\n', "int in place of str"),
        ('schema = 1\n[[actions]]\nname = "a"\npacks = [{ id = "x" }]\n', "'version'"),
        ('schema = 1\n[[actions]]\nname = "a"\n[[actions]]\nname = "a"\n', "has a twice"),
        ('schema = 1\n[[actions]]\nname = "a"\npakcs = []\n', "has unknown keys: pakcs"),
        ("schema = 1\naction = []\n", "has unknown keys: action"),
        ("schema = 1\n<<<<<<< HEAD\n", "is not TOML"),
        ("schema = 1\n# \x00\n", "is not TOML"),
    ],
)
def test_a_damaged_lock_says_what_is_wrong_with_it(tmp_path, text, told):
    """With the ways out, and exit code 2."""
    (tmp_path / LOCK_FILE).write_text(text)
    with pytest.raises(LockError) as caught:
        read_lock(tmp_path)
    assert told in caught.value.message
    assert caught.value.exit_code == 2
    assert any("handrail lock" in way for way in caught.value.ways_out)


def test_a_lock_that_is_not_text_or_no_file(tmp_path):
    """Neither raises anything but a LockError."""
    (tmp_path / LOCK_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(LockError, match="is not UTF-8"):
        read_lock(tmp_path)
    (tmp_path / LOCK_FILE).unlink()
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(tmp_path)


def test_a_lock_of_a_newer_handrail_asks_for_an_upgrade(tmp_path):
    """Whatever else is in it."""
    (tmp_path / LOCK_FILE).write_text("schema = 2\nfuture = 1\n")
    with pytest.raises(LockError, match=r"newer Handrail \(schema 2") as caught:
        read_lock(tmp_path)
    assert "pip install --upgrade handrail" in caught.value.ways_out[0]


def test_a_lock_that_cannot_be_written_leaves_the_old_one(tmp_path):
    """No half of a file, and no draft beside it."""
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(LockError, match="cannot be written"):
        write_lock(tmp_path, [UPLOAD])
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_a_file_keeps_its_permissions(tmp_path):
    """A new one has those of any new file; one that is replaced has the old ones."""
    file, plain = tmp_path / "a", tmp_path / "b"
    replace_file(file, b"1")
    plain.write_bytes(b"1")
    assert file.stat().st_mode == plain.stat().st_mode
    os.chmod(file, 0o640)
    replace_file(file, b"2")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_bytes() == b"2"


def test_the_own_folder_is_private_and_ignored(tmp_path):
    """Nobody else looks into it, and version control leaves it alone."""
    folder = own_folder(tmp_path)
    assert folder == own_folder(tmp_path) == tmp_path / ".handrail"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"


def test_an_own_folder_that_is_there_stays_as_it_is(tmp_path):
    """So does the one that a link leads to: neither gets anything that was not asked for."""
    target = tmp_path / "target"
    target.mkdir(mode=0o755)
    (tmp_path / ".handrail").symlink_to(target)
    assert own_folder(tmp_path) == tmp_path / ".handrail"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert list(target.iterdir()) == []
