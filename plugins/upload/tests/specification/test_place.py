"""Which role and which data unit a file belongs to, in examples and as rules."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from handrail_upload.errors import SpecificationError
from handrail_upload.specification import FileRole, Specification

Read = Callable[..., Specification]

FOLDERS = """
[files.image]
extensions = [".jpg", ".tar.gz", ".gz"]
[files.mask]
extensions = [".png"]
folder = "masks"
"""
SUFFIXES = """
[files.left]
suffix = "_left"
[files.upper_left]
suffix = "_upper_left"
[files.plain]
extensions = [".jpg", ".txt"]
[files.note]
extensions = [".txt"]
suffix = "_left"
"""
SHARED = """
[files.left]
folder = "eyes"
suffix = "_l"
[files.right]
folder = "eyes"
suffix = "_r"
[files.note]
"""


@pytest.mark.parametrize(
    ("text", "name", "role", "unit"),
    [
        # A folder that belongs to one role decides, whatever lies in it.
        (FOLDERS, "image/a.jpg", "image", "a"),
        (FOLDERS, "image/x/a.JPG", "image", "x/a"),
        (FOLDERS, "image/masks/a.png", "image", "masks/a"),
        (FOLDERS, "image/a.b.c", "image", "a.b"),
        (FOLDERS, "image/README", "image", "README"),
        (FOLDERS, "image/.hidden", "image", ".hidden"),
        (FOLDERS, "masks/a.png", "mask", "a"),
        # Elsewhere the extension does; a role with a folder has no files elsewhere.
        (FOLDERS, "x/a.jpg", "image", "x/a"),
        (FOLDERS, "a.png", None, ""),
        (FOLDERS, "mask/a.png", None, ""),
        (FOLDERS, "x/masks/a.png", None, ""),
        (FOLDERS, "image", None, ""),
        # The longest extension is taken off, and never the whole name.
        (FOLDERS, "a.tar.gz", "image", "a"),
        (FOLDERS, "a.x.GZ", "image", "a.x"),
        (FOLDERS, "x/.tar.gz", "image", "x/.tar"),
        (FOLDERS, ".jpg", None, ""),
        # The longest suffix wins, then a listed extension.
        (SUFFIXES, "a_left.png", "left", "a"),
        (SUFFIXES, "a_upper_left.png", "upper_left", "a"),
        (SUFFIXES, "a_left.jpg", "left", "a"),
        (SUFFIXES, "a_left.txt", "note", "a"),
        (SUFFIXES, "a.jpg", "plain", "a"),
        (SUFFIXES, "x_left/a.jpg", "plain", "x_left/a"),
        (SUFFIXES, "_left.png", None, ""),
        (SUFFIXES, "_left.jpg", "plain", "_left"),
        (SUFFIXES, "left/a.png", "left", "a"),
        (SUFFIXES, "left/a_left.png", "left", "a"),
        (SUFFIXES, "left/_left.png", "left", "_left"),
        (SUFFIXES, "a.png", None, ""),
        # A folder may belong to several roles; then no other role has files in it.
        (SHARED, "eyes/a_l.png", "left", "a"),
        (SHARED, "eyes/x/a_r", "right", "x/a"),
        (SHARED, "eyes/a.png", None, ""),
        (SHARED, "a_l.png", "note", "a_l"),
    ],
)
def test_examples(specification: Read, text: str, name: str, role: str | None, unit: str) -> None:
    """Folder, suffix and extension decide, in this order, and are no part of the unit."""
    expected = (role, unit) if role else None
    assert specification(text).place(name) == expected


def test_ambiguous_file(specification: Read) -> None:
    """A file that fits two roles equally well is refused, with what would tell them apart."""
    found = specification('[files.a]\n[files.b]\n[files.c]\nextensions = [".txt"]')
    assert found.place("a/1.png") == ("a", "1")
    assert found.place("1.txt") == ("c", "1")
    with pytest.raises(SpecificationError, match=r"x/1\.png may be a or b") as caught:
        found.place("x/1.png")
    assert any('[files.b] suffix = "_b"' in way for way in caught.value.ways_out)
    assert any("two folders, a/ and b/" in way for way in caught.value.ways_out)


def test_place_in(specification: Read) -> None:
    """In a source of its own, each file has the role, and the unit is made by the same rules."""
    found = specification(SHARED)
    assert found.place("x/a_l.png", "left") == ("left", "x/a")
    assert found.place("eyes/a.b.png", "left") == ("left", "eyes/a.b")
    with pytest.raises(SpecificationError, match="there is no role 'lefd'") as caught:
        found.place("a", "lefd")
    assert caught.value.ways_out == ("did you mean left?",)


WORDS = st.text("abc_-", min_size=1, max_size=5)
EXTENSIONS = st.sampled_from([".jpg", ".png", ".gz", ".tar.gz", ".c"])
ROLES = st.builds(
    FileRole,
    name=st.sampled_from(["a", "b", "c", "a_b", "image"]),
    required=st.booleans(),
    extensions=st.frozensets(EXTENSIONS, max_size=3),
    min_size=st.none() | st.integers(0, 1000),
    max_size=st.none() | st.integers(1000, 2**63 - 1),
    folder=st.none() | st.sampled_from(["a", "b", "images"]),
    suffix=st.sampled_from(["", "_a", "_b", "_a_b", ".x"]),
)


def _readable(roles: list[FileRole]) -> bool:
    try:
        Specification(files={role.name: role for role in roles})
    except ValidationError:
        return False
    return True


SPECIFICATIONS = st.builds(
    Specification,
    name=st.none() | st.text(min_size=1).filter(str.strip),
    files=st.lists(ROLES, min_size=1, max_size=4, unique_by=lambda role: role.name)
    .filter(_readable)
    .map(lambda roles: {role.name: role for role in roles}),
)
PARTS = st.text("abcix_.-jpgntrz", min_size=1, max_size=10).filter(lambda part: part.strip("."))
PATHS = st.lists(
    PARTS | st.sampled_from(["a", "b", "images", "1_a.jpg", "1_a_b.tar.gz", "2.PNG", ".gz"]),
    min_size=1,
    max_size=3,
).map("/".join)


def placed(specification: Specification, name: str) -> tuple[str, str] | None | str:
    try:
        return specification.place(name)
    except SpecificationError:
        return "ambiguous"


@given(specification=SPECIFICATIONS, name=PATHS)
def test_one_role_or_none(specification: Specification, name: str) -> None:
    """A file has one of the roles or none, and its unit is a part of its name, never empty."""
    found = placed(specification, name)
    if isinstance(found, tuple):
        role, unit = found
        assert role in [each.name for each in specification.roles]
        assert unit
        assert not unit.endswith("/")
        assert unit in name
        assert unit.rpartition("/")[2] in name.rpartition("/")[2]


@given(specification=SPECIFICATIONS, name=PATHS, seed=st.integers(0, 1000))
def test_order_does_not_matter(specification: Specification, name: str, seed: int) -> None:
    """In whatever order the roles are written down, a file is the same."""
    roles = list(specification.roles)
    random.Random(seed).shuffle(roles)
    shuffled = specification.model_copy(update={"files": {role.name: role for role in roles}})
    assert placed(specification, name) == placed(shuffled, name)


@given(specification=SPECIFICATIONS, data=st.data(), word=WORDS, below=st.sampled_from(["", "x/"]))
def test_what_was_named_by_the_rules_is_found(
    specification: Specification, data: st.DataObject, word: str, below: str
) -> None:
    """Folder, unit, suffix and extension of a role, put together, give that role and unit."""
    role = data.draw(st.sampled_from(specification.roles))
    extension = data.draw(st.sampled_from(sorted(role.extensions) or [".jpg"]))
    unit = f"{below}{word}"
    owners = [each for each in specification.roles if each.home == role.home]
    # A longer suffix, or a longer listed extension, of another role would win.
    assume(len(owners) == 1)
    assume(not any(extension.endswith(each) and each != extension for each in role.extensions))
    name = f"{role.home}/{unit}{role.suffix}{extension}"
    assert specification.place(name) == (role.name, unit)
    assert specification.role(role.name).problems(name, 1000) == []


@given(specification=SPECIFICATIONS, name=PATHS)
def test_what_is_taken_off(specification: Specification, name: str) -> None:
    """Outside of folders of roles, a unit lacks the suffix of its role and an extension of it."""
    found = placed(specification, f"elsewhere/{name}")
    if isinstance(found, tuple):
        role = specification.role(found[0])
        tail = f"elsewhere/{name}".removeprefix(found[1])
        assert tail.startswith(role.suffix)
        extension = tail.removeprefix(role.suffix)
        assert not role.extensions or extension.lower() in role.extensions
