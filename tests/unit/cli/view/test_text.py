"""What is written is valid JSON, fits its columns and moves no cursor."""

from __future__ import annotations

import ast
import io
import json
import unicodedata
from pathlib import Path

import pytest
from pydantic import BaseModel

import handrail.builtin.cli
from handrail.amounts import seconds
from handrail.builtin.cli.view.console import _MARKS, Console, to_json
from handrail.builtin.cli.view.progress import brief, one_line
from handrail.builtin.cli.view.table import names, table
from handrail.builtin.cli.view.text import (
    columns,
    cut,
    facts,
    folded,
    listed,
    shorten,
    shorten_start,
    wrapped,
)
from handrail.redact import visible, visible_lines


class Wrong(BaseModel):
    """A model that cannot be written as JSON."""

    value: object = object()


class Unreadable:
    """An object that raises when it is turned into text."""

    def __str__(self):
        raise ValueError("no text")


def circle():
    made: dict[str, object] = {}
    made["again"] = made["more"] = made
    return made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        ([float("inf")], ["inf"]),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        ({1: {2}}, {"1": [2]}),
        (circle(), {"again": "...", "more": "..."}),
        (Unreadable(), "<Unreadable>"),
        ("\udcff", "\udcff"),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_whatever_a_step_returns_becomes_valid_json(value, expected):
    """NaN, keys that are no text, circles and unreadable objects do not break a line of events."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    text = to_json({"value": value})
    assert json.loads(text, parse_constant=refuse)["value"] == expected


def test_a_model_that_cannot_be_dumped_becomes_text():
    """A pydantic model with a field that has no JSON form is shown as text."""
    assert "value=" in json.loads(to_json({"x": Wrong()}))["x"]


def test_deep_nesting_ends():
    """A document deeper than anybody reads is cut off, not a RecursionError."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "..." in to_json({"x": deep})


def test_wide_letters_take_two_columns():
    """Tables line up, and the moving line fits, with letters that are two columns wide."""
    assert columns("日本") == 4
    assert columns("e\u0301") == 1
    assert cut("日本語", 5) == "日本"
    assert wrapped("日本語 x", 5) == ["日本", "語 x"]


def test_texts_that_are_too_long_keep_what_tells_most():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten_start("abcdefg", 6) == "…cdefg"
    assert [columns(each) for each in (shorten("日本語", 4), shorten_start("日本語", 4))] == [3, 3]


@pytest.mark.parametrize(
    ("took", "text"),
    [
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (31.6, "32s"),
        (59.6, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (18_120, "5h 02m"),
        (86_399, "23h 59m"),
        (273_600, "3d 04h"),
    ],
)
def test_durations_are_told_as_people_do(took, text):
    assert seconds(took) == text


def test_facts_stand_in_as_few_lines_as_they_fit_into():
    assert facts("a", "b") == ["a · b"]
    assert facts("a" * 60, "b" * 60, "c") == ["a" * 60, f"  {'b' * 60} · c"]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("  cause  one two three four five", ["  cause  one two three", "    four five"]),
        ("  at  a:1", ["  at  a:1"]),
        ("run 6, kept:  handrail resume 6", ["run 6, kept:", "  handrail resume 6"]),
        ("    handrail resume 6 --journal a-long-one", None),
        (
            "  remove it: handrail models remove a@7",
            ["  remove it:", "    handrail models remove a@7"],
        ),
        (
            "  somebody undoes it with handrail claims",
            ["  somebody undoes it", "    with handrail claims"],
        ),
    ],
)
def test_lines_break_between_words_and_before_commands(monkeypatch, line, lines):
    """A command stays in one piece, so that it can be copied; without a terminal all lines do."""
    assert folded(line, io.StringIO()) == [line]
    monkeypatch.setattr("handrail.builtin.cli.view.text._LEAST", 1)
    monkeypatch.setenv("COLUMNS", "24")
    assert folded(line, io.StringIO()) == (lines or [line])


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("  資料  ", ["  資料  one two three", "          four"]),
        ("  a-name-with-no-room  ", ["  a-name-with-no-room", "      one two three four"]),
    ],
)
def test_further_lines_stand_below_the_first_beside_its_head(monkeypatch, head, lines):
    """Or below the head, where that takes more than half of the terminal."""
    monkeypatch.setattr("handrail.builtin.cli.view.text._LEAST", 1)
    assert folded("one two three four", io.StringIO(), head=head) == [f"{head}one two three four"]
    monkeypatch.setenv("COLUMNS", "24")
    assert folded("one two three four", io.StringIO(), head=head) == lines


def test_styles_take_no_columns(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    line = f"{Console().style('error:', 'red', 'bold')} what went wrong takes 35 columns"
    assert columns(line) == 39
    assert folded(line, io.StringIO()) == [line]


def test_of_many_names_the_number_of_the_others_is_told():
    assert listed(["a", "b"], room=80) == "a, b"
    assert listed([f"name_{n}" for n in range(50)], room=40) == "name_0, name_1, name_2 and 47 more"
    assert listed(["x" * 99, "b" * 9], room=10, longest=6) == "xxxxx… and 1 more"


def test_what_could_control_a_terminal_is_spelled_out():
    """An escape sequence, a bidi control or a line end in a name has no effect on the screen."""
    assert visible("a\x1b[2Jb\x1b]0;t\x07\r") == "a\\x1b[2Jb\\x1b]0;t\\x07\\r"
    assert visible("\x9b31m \x7f") == "\\x9b31m \\x7f"
    assert visible("a\u202egpj.exe\u2028\udc9b\n") == "a\\u202egpj.exe\\u2028\\udc9b\\n"
    assert visible("größe\u00a0👩\u200d🔬 北京") == "größe\u00a0👩\u200d🔬 北京"


def test_lines_of_a_text_stay_lines():
    """Of a traceback the line ends and tabs are kept as such, and nothing else."""
    assert visible_lines("a\r\n\tb\x1bc") == ["a", "        b\\x1bc"]


def test_widths_are_those_of_what_is_shown():
    """A table lines up, and a line fits, with the escapes in place of what they stand for."""
    assert columns("a\x1b") == 5
    assert shorten("\x1b" * 9, 10) == "\\x1b\\x1b\\…"
    rows = table((names("A"), names("B")), [("a\n", "x"), ("bcd", "y")], width=80)
    assert [line for row in rows for line in row] == ["A    B", "a\\n  x", "bcd  y"]


def test_only_our_own_colours_reach_a_terminal(monkeypatch):
    """Codes in a text are spelled out beside the style that the console gives it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stderr", stream)
    console = Console()
    console.note(console.style("a\x1b[32mb", "red", "bold", err=True) + "\x9b31m")
    assert stream.buffer.getvalue() == b"\x1b[31;1ma\\x1b[32mb\x1b[0m\\x9b31m\n"


def test_what_a_step_says_takes_one_line():
    """A summary with line ends, or of five thousand letters, stays one line of the view."""
    assert brief({"summary": "one\ntwo"}) == "one two"
    assert len(brief({"summary": "x" * 5000})) == 200
    assert brief({"k\n": "a\r\nb"}) == "k=a b"
    assert one_line("a" * 10, limit=5) == "aaaa…"


def test_marks_have_a_form_in_ascii(monkeypatch):
    """Where the encoding has no marks, done and failed still look different."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stderr", stream)
    Console().note("✓ ✗ ü")
    assert stream.buffer.getvalue() == b"+ x \\xfc\n"


def test_every_mark_has_a_form_in_ascii():
    """A letter of ours that a terminal lacks would be shown as its number."""
    marks = set()
    for path in Path(handrail.builtin.cli.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        texts = (each.value for each in ast.walk(tree) if isinstance(each, ast.Constant))
        marks |= {letter for text in texts if isinstance(text, str) for letter in text}
    marks = {mark for mark in marks if not mark.isascii() and unicodedata.category(mark) != "Mn"}
    assert {"✓", "▸", "·"} <= marks
    assert "".join(marks).translate(_MARKS).isascii()
