"""The line of every key and item of a TOML text is found."""

from __future__ import annotations

import contextlib
import string
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.builtin.project.toml import locate


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1", ("a",), 1),
        ("\n# c = 3\na.b = 1 # x", ("a", "b"), 3),
        ("\n# c = 3\na.b = 1 # x", ("a",), 3),
        ("[a]\n[a.b]\nc = 1", ("a", "b", "c"), 3),
        ("[a.b]\nc = 1\n[a]\nd = 1", ("a",), 3),
        ("[[a]]\nb = 1\n[[a]]\nb = 2", ("a", 1, "b"), 4),
        ("[[a]]\n[a.c]\nb = 1\n[[a]]\n[a.c]\nb = 2", ("a", 1, "c", "b"), 6),
        ("a = [\n1,\n# no\n2,\n[3,\n4]]", ("a", 2, 1), 6),
        ("a = { b = 1, c = [\n1, 2] }\nd = 1", ("a", "c", 0), 2),
        ("a = { b = 1, c = [\n1, 2] }\nd = 1", ("d",), 3),
        ('a = """\n[b]\nc = 1\n"""\nd = 1', ("d",), 5),
        ("a = '''\nb = \"\n'''\nd = 1", ("d",), 4),
        ('a = """x""""\nd = 1', ("d",), 2),
        ('a = """\\"""\\\\"""\nd = 1', ("d",), 2),
        ('a = "#[{\\""\nd = 1', ("d",), 2),
        ("'a.b'.\"c d\" = 1", ("a.b", "c d"), 1),
        ('"\\u0061" = 1', ("a",), 1),
        ("a = 1.5\nb = 1979-05-27 07:32:00\nc = +inf", ("c",), 3),
        ("a = 1\r\nb = 2\r\n", ("b",), 2),
        ("[ a . b ]\nc = 1", ("a", "b", "c"), 2),
        ("3.14 = 1\n-1 = 2", ("-1",), 2),
    ],
)
def test_line(text, path, line):
    """Each way to write a key, table, list or text leaves the lines behind it right."""
    tomllib.loads(text)
    assert locate(text)[path] == line


KEYS = st.text(string.ascii_lowercase, min_size=1, max_size=3)
TEXTS = st.text("ab\"'#[]{}=,.\\ \n", max_size=8)
SCALARS = (
    st.integers(-99, 99).map(str)
    | st.booleans().map(lambda flag: str(flag).lower())
    | st.sampled_from(["1.5", "1979-05-27T07:32:00Z", "nan"])
)


def quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n") + '"'


def long(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"""' + escaped + '"""'


VALUES = st.recursive(
    SCALARS | TEXTS.map(quoted) | TEXTS.map(long),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n".join(items) + "\n]"),
    max_leaves=5,
)


@given(entries=st.dictionaries(KEYS, VALUES, max_size=6), comment=st.booleans())
def test_lines_after_anything(entries, comment):
    """Whatever the values before it look like, a key is found on its own line."""
    lines, expected = [], {}
    for key, value in entries.items():
        if comment:
            lines.append("# \" [ ' {")
        expected[(key,)] = "\n".join(lines).count("\n") + (2 if lines else 1)
        lines.append(f"{key} = {value}")
    text = "\n".join(lines)
    assert set(tomllib.loads(text)) == set(entries)
    found = locate(text)
    assert {path: line for path, line in found.items() if len(path) == 1} == expected


@given(text=st.text(max_size=40))
def test_nonsense_ends(text):
    """A text that is no TOML makes no endless loop and no strange error."""
    with contextlib.suppress(tomllib.TOMLDecodeError):
        locate(text)
