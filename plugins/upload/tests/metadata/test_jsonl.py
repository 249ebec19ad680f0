"""JSON lines: values as they are, and each mistake has its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_upload.metadata import Row, SheetMetadata

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., list[Row]]
Refused = Callable[..., str]


def test_values(write: Write, read: Read) -> None:
    """Values keep their types; a null that somebody wrote stays, and NaN becomes one."""
    text = '\ufeff{"file": "a", "i": 1, "f": 1.0, "b": true, "n": null, "x": NaN, "l": [{"a": []}]}'
    (row,) = read(write("a.jsonl", text + "\r\n\n"))
    assert row.values == {"i": 1, "f": 1.0, "b": True, "n": None, "x": None, "l": [{"a": []}]}
    assert [type(row.values[key]) for key in "ifb"] == [int, float, bool]


def test_lines(write: Write, read: Read) -> None:
    """Blank lines count but are no rows, and objects may differ in their keys."""
    rows = read(write("a.jsonl", '\n{"file": "a", "n": 1}\n\n{"m": 2, "file": "b"}'))
    assert [(row.line, row.values) for row in rows] == [(2, {"n": 1}), (4, {"m": 2})]
    rows = read(write("b.jsonl", '{"file":\r"a\u2028b"}\r\n{"file": "c"}\r\n'))
    assert [(row.line, row.name) for row in rows] == [(1, "a\u2028b"), (2, "c")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "a.jsonl:2: is not an object"),
        ('"a"', "a.jsonl:2: is not an object"),
        ("1", "a.jsonl:2: is not an object"),
        ("null", "a.jsonl:2: is not an object"),
        ("true", "a.jsonl:2: is not an object"),
        ('{"file": "a",}', "a.jsonl:2: is not JSON: "),
        ('{"file": "a"', "a.jsonl:2: is not JSON: Expecting ',' delimiter (character "),
        ("file,label", "a.jsonl:2: is not JSON: Expecting value (character 1)"),
        ('{"file": "a", "n": 1, "n": 2}', "a.jsonl:2: has 'n' twice in one object"),
        ('{"file": "a", "n": {"m": 1, "m": 2}}', "a.jsonl:2: has 'm' twice in one object"),
        ('{"file": "a", "n": Infinity}', "a.jsonl:2, column 'n': is infinite"),
        ('{"file": "a", "n": [1e999]}', "a.jsonl:2, column 'n': is infinite"),
        ('{"file": "a", "n": "\\ud83d"}', "a.jsonl:2, column 'n': has text with half a character"),
        ('{"file": "\\ud83d"}', "a.jsonl:2, column 'file': has text with half a character"),
        ('{"file": "a", "n": {"\\u0000": 1}}', "a.jsonl:2, column 'n': has text with a NUL"),
        ('{"file": "a", "\\u0000": 1}', "has text with a NUL"),
        ('{"file": "a", "n": ' + "9" * 5000 + "}", "a.jsonl:2: is not JSON: "),
        ('{"file": "a", "n": ' + "[" * 70 + "]" * 70 + "}", "is nested more than 64 levels deep"),
        ('{"file": "a", "n": ' + "[" * 60_000 + "]" * 60_000 + "}", "nested"),
        ('{"name": "b"}', "a.jsonl:2, column 'file': no file is named here"),
    ],
)
def test_mistakes(write: Write, refused: Refused, line: str, message: str) -> None:
    """Each mistake is refused with its line, and its column where there is one."""
    assert message in refused(write("a.jsonl", f'{{"file": "first"}}\n{line}\n'))


def test_no_objects(write: Write, refused: Refused) -> None:
    """Blank lines alone and an object without values are refused."""
    assert "a.jsonl: has blank lines only" in refused(write("a.jsonl", "\n \n"))
    assert "begins with an object that has no values" in refused(write("b.jsonl", "{}"))


def test_not_utf8(write: Write, refused: Refused) -> None:
    """A byte that is not UTF-8 is refused with line and offset."""
    found = refused(write("a.jsonl", b'{"file": "a"}\n{"file": "\xff"}'))
    assert "a.jsonl:2: is not UTF-8: there is the byte 0xff at offset 24" in found


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcäö", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(values=st.lists(st.dictionaries(st.text("xyz", min_size=1), JSON, max_size=4), max_size=4))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, Any]], ascii_only: bool
) -> None:
    """Any object of JSON values comes back equal."""
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    lines = [json.dumps({"file": "f", **each}, ensure_ascii=ascii_only) for each in values]
    path.write_text("\n".join([*lines, '{"file": "last"}']), encoding="utf-8")
    assert [row.values for row in SheetMetadata().rows(path)] == [*values, {}]
