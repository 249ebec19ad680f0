"""The file of a specification: its grammar, its mistakes, its JSON form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ByteSize

from handrail_upload.errors import SpecificationError
from handrail_upload.specification import FileRole, Specification, read_specification

Read = Callable[..., Specification]
Refused = Callable[..., str]

WHOLE = """
name = "photos"
[files.image_1]
required = false
extensions = [".JPG", "png", ".tar.gz"]
max_size = "20 MB"
min_size = 10
folder = "images"
suffix = "_left"
[files.mask-1]
"""


def test_every_key(specification: Read) -> None:
    """Each key is read, and each has a default."""
    found = specification(WHOLE)
    image = FileRole(
        name="image_1",
        required=False,
        extensions=(".jpg", ".png", ".tar.gz"),
        min_size=ByteSize(10),
        max_size=ByteSize(20_000_000),
        folder="images",
        suffix="_left",
    )
    mask = FileRole(
        name="mask-1",
        required=True,
        extensions=(),
        min_size=None,
        max_size=None,
        folder=None,
        suffix="",
    )
    assert found == Specification(name="photos", files={"image_1": image, "mask-1": mask})
    assert found.required == ("mask-1",)


def test_json(specification: Read) -> None:
    """A JSON file says the same with the same keys, also with a byte order mark."""
    table = {
        "name": "photos",
        "files": {
            "image_1": {
                "required": False,
                "extensions": [".JPG", "png", ".tar.gz"],
                "max_size": "20 MB",
                "min_size": 10,
                "folder": "images",
                "suffix": "_left",
            },
            "mask-1": {},
        },
    }
    text = json.dumps(table)
    assert specification("\ufeff" + text, "collection.JSON") == specification(WHOLE)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ('"12 B"', 12),
        ('"1 KB"', 1000),
        ('"1 KiB"', 1024),
        ('"1.5 MB"', 1_500_000),
        ('"0.1GB"', 100_000_000),
        ('" 2 gib "', 2 * 1024**3),
        ('"1 TB"', 10**12),
        ('"1.001 MB"', 1_001_000),
        ('"1 MiB"', 1024**2),
    ],
)
def test_sizes(specification: Read, text: str, size: int) -> None:
    """Sizes are bytes, or text with a unit in any case."""
    assert specification(f"[files.a]\nmax_size = {text}").roles[0].max_size == size


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("max_size = true", "files.a.max_size"),
        *(
            (f"max_size = '{text}'", "files.a.max_size: is not a size")
            for text in ("1,000 MB", "20.5.1 MB", "20 MB/s", "10 %", "20M", "8 kbit")
        ),
        ("max_size = 1.5", "files.a.max_size"),
        ("max_size = -1", "files.a.max_size"),
        ("max_size = 2030-01-01", "files.a.max_size"),
        ('max_size = "20 XB"', "files.a.max_size"),
        ("min_size = []", "files.a.min_size"),
        ("min_size = 2\nmax_size = 1", "files.a.max_size: is less than min_size"),
        ('required = "yes"', "files.a.required"),
        ("required = 1", "files.a.required"),
        ('extensions = ".jpg"', "files.a.extensions: has to be a list"),
        ('extensions = ["*.jpg"]', "files.a.extensions.0: '*.jpg' is no extension"),
        ('extensions = ["a/b"]', "files.a.extensions.0: 'a/b' is no extension"),
        ('extensions = ["."]', "files.a.extensions.0: '.' is no extension"),
        ('extensions = [""]', "files.a.extensions.0: '' is no extension"),
        ("extensions = [1]", "files.a.extensions.0"),
        ('folder = "a/b"', "files.a.folder: 'a/b' is not one folder"),
        ('folder = ".."', "files.a.folder: '..' is not one folder"),
        ('folder = ""', "files.a.folder: '' is not one folder"),
        ("folder = 1", "files.a.folder"),
        ('suffix = "a/b"', "files.a.suffix"),
        ("suffix = 1", "files.a.suffix"),
        ("name = 'b'", "files: the role a has another name, b"),
        ("requird = true", "there is no key files.a.requird; did you mean required?"),
        ("zzz = true", "there is no key files.a.zzz; known here: required, extensions"),
        ("[files.b]\nfolder = 'a'", "files.a and files.b share the folder 'a'"),
        ("[files.'b c']", "files.b c.name"),
        ("[files.'-b']", "files.-b.name"),
        ("[files.'bä']", "files.bä.name"),
        ("[files]\nb = 1", "files.b"),
        ("[other]", "there is no key other"),
    ],
)
def test_mistakes(refused: Refused, lines: str, path: str) -> None:
    """Each mistake is refused with the file and the key."""
    found = refused(f"[files.a]\n{lines}")
    assert found.startswith(f"collection.toml: {path}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "files: there are no roles\nsuch as [files.image]"),
        ("[file.a]\n[files.b]", "there is no key file; did you mean files?"),
        ("files = 1", "files: has to be a table"),
        ("[[files]]", "files: "),
        ("name = 1\n[files.a]", "name: "),
        ("name = ' '\n[files.a]", "name: "),
    ],
)
def test_mistakes_at_the_top(refused: Refused, text: str, message: str) -> None:
    """What is wrong with the whole is refused as well."""
    assert message in refused(text)


def test_all_mistakes_at_once(refused: Refused) -> None:
    """Several mistakes are one error, with a line for each."""
    text = "nam = 1\n[files.a]\nrequird = 1\nmax_size = 'x'\n[files.b]\nmin_size = 2\nmax_size = 1"
    found = refused(text).splitlines()
    assert found[0] == "collection.toml has 4 problems"
    assert "files.b.max_size: is less than min_size, so that no file fits" in found
    assert "there is no key nam; did you mean name?" in found
    assert "there is no key files.a.requird; did you mean required?" in found
    assert any(line.startswith("files.a.max_size: ") for line in found)


def test_all_roles_that_nothing_tells_apart(refused: Refused) -> None:
    """Each pair of roles that share a folder is named."""
    roles = "".join(f"[files.{name}]\nfolder = '{name[0]}'\n" for name in ("a1", "a2", "b1", "b2"))
    found = refused(roles)
    assert "files.a1 and files.a2 share" in found
    assert "files.b1 and files.b2 share" in found


def test_roles_in_one_folder(specification: Read) -> None:
    """Roles may share a folder when suffix or extensions tell their files apart."""
    for line in ('suffix = "_b"', 'extensions = [".b"]'):
        assert specification(f"[files.a]\n[files.b]\nfolder = 'a'\n{line}").roles


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[files.a]\n[files.a]", "a.toml: Cannot declare"),
        ("a.toml", "\n[files.a\nb = 1", "(at line 2"),
        ("a.toml", "a = " + "[" * 5000, "a.toml"),
        ("a.json", '{"files": {\n"a": {},}}', "line 2"),
        ("a.json", '{"files": {"a": {}, "a": {}}}', "a.json: has 'a' twice in one object"),
        ("a.json", "[]", "a.json: "),
        ("a.json", "[" * 60_000 + "]" * 60_000, "a.json"),
        ("a.json", '{"name": ' + "1" * 5000 + "}", "a.json: "),
        ("a.yaml", "files:", "a.yaml: a specification is .toml or .json, not .yaml"),
        ("a", "", "a: a specification is .toml or .json"),
    ],
)
def test_no_specification(refused: Refused, name: str, text: str, message: str) -> None:
    """A file of another format, or with a mistake in its syntax, is refused with the line."""
    assert refused(text, name).startswith(message) or message in refused(text, name)


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file, a folder, and bytes that are not UTF-8 are refused by name."""
    with pytest.raises(SpecificationError, match=r"a\.toml: cannot be read: No such file"):
        read_specification(tmp_path / "a.toml")
    (tmp_path / "b.toml").mkdir()
    with pytest.raises(SpecificationError, match=r"b\.toml: cannot be read: Is a directory"):
        read_specification(tmp_path / "b.toml")
    (tmp_path / "c.toml").write_bytes(b"[files.a]\n# \xe9")
    with pytest.raises(SpecificationError, match=r"c\.toml: .utf-8. codec"):
        read_specification(tmp_path / "c.toml")


def test_from_dict_refuses() -> None:
    """A table that comes from elsewhere is held to the same rules."""
    with pytest.raises(SpecificationError, match="the specification: files: there are no roles"):
        Specification.from_dict({})
    with pytest.raises(SpecificationError, match=r"field x: files: "):
        Specification.from_dict({"files": 1}, source="field x")


LETTERS = st.characters(categories=["L", "N"])
ROLES = st.builds(
    FileRole,
    name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,6}", fullmatch=True),
    required=st.booleans(),
    extensions=st.frozensets(
        st.text(LETTERS, min_size=1, max_size=4).map(lambda text: f".{text.lower()}"), max_size=3
    ),
    min_size=st.none() | st.integers(0, 5),
    max_size=st.none() | st.integers(5, 2**63 - 1),
    folder=st.none(),
    suffix=st.text(LETTERS, max_size=5),
)


@given(
    name=st.none() | st.text(min_size=1).filter(str.strip),
    roles=st.lists(ROLES, min_size=1, max_size=4, unique_by=lambda role: role.name),
)
def test_round_trip(name: str | None, roles: list[FileRole]) -> None:
    """What to_dict gives is JSON, and from_dict makes the same of it."""
    found = Specification(name=name, files={role.name: role for role in roles})
    table = found.to_dict()
    assert Specification.from_dict(json.loads(json.dumps(table))) == found
    assert Specification.from_dict(table).to_dict() == table
