"""Text becomes the value that a field takes, the same from options, variables and `-p`."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ByteSize, Field, SecretStr

from handrail.params.conversion import from_json, from_text, takes_text
from handrail.params.model import bare, kind_at


class Level(enum.Enum):
    """A choice of numbers."""

    LOW = 1


class Colour(enum.StrEnum):
    """A choice of words."""

    RED = "red"


class Inner(BaseModel):
    """A model in a model."""

    size: int = Field(1, alias="how-big")
    again: Inner | None = None


class Outer(BaseModel):
    """Where fields are."""

    inner: Inner = Inner()
    kind: str = Field("raw", validation_alias=AliasChoices("type", "sort"))
    deep: list[int] = Field(default_factory=list, validation_alias=AliasPath("a", "b"))


@dataclass
class Point:
    """Something that has parts."""

    x: int = 0


class Pair(NamedTuple):
    """So has this."""

    x: int


class Keys(TypedDict):
    """And this."""

    x: int


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "3", 3),
        (int, "007", 7),
        (int, "1e3", 1000.0),
        (int, "x", "x"),
        (int, "true", "true"),
        (float, "0.5", 0.5),
        (float, "inf", float("inf")),
        (bool, "true", True),
        (bool, "yes", "yes"),
        (bool, "1", "1"),
        (ByteSize, "5", 5),
        (ByteSize, "5MB", "5MB"),
        (datetime.timedelta, "30", 30),
        (datetime.timedelta, "P1D", "P1D"),
        (int | None, "null", None),
        (str, "007", "007"),
        (str, "true", "true"),
        (str | None, "12", "12"),
        (SecretStr, "12", "12"),
        (Path, "12", "12"),
        (Decimal, "3.10", "3.10"),
        (datetime.date, "2024", "2024"),
        (Level, "1", 1),
        (Colour, "red", "red"),
        (Colour, "green", "green"),
        (Literal[1, 2], "2", 2),
        (Literal["1", "2"], "2", "2"),
        (list[str], '["1"]', ["1"]),
        (list[str], "1", 1),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Inner, '{"how-big": 1}', {"how-big": 1}),
        (Point, '{"x": 1}', {"x": 1}),
        (Any, "[1]", [1]),
        (None, "3", 3),
        (None, "word", "word"),
    ],
)
def test_text_is_read_as_its_field_takes_it(kind: Any, text: str, value: Any) -> None:
    """By options, variables and `-p` alike; what does not fit stays text, for the model to say."""
    assert from_text(bare(kind), text) == value
    assert from_json(bare(kind), text) == value
    assert type(from_text(bare(kind), text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (str, '"in quotes"', "in quotes"),
        (str | None, "null", None),
        (int | str, "3", 3),
        (str, "[1", "[1"),
    ],
)
def test_json_is_read_where_it_is_asked_for(kind: Any, text: str, value: Any) -> None:
    """`-p` takes JSON or text; in an option or a variable what is text stays as it is."""
    assert from_json(bare(kind), text) == value
    assert from_text(bare(kind), text) == text


@given(st.text())
def test_text_stays_text(text: str) -> None:
    """Whatever it looks like, for a field that takes text; a password is not to be changed."""
    assert from_text(str, text) == text
    assert from_text(SecretStr, text) == text


def test_only_what_one_text_can_stand_for_takes_text() -> None:
    taking = (str, int, bool, Path, Level, Literal["a"], int | str, SecretStr, datetime.date)
    others = (
        list,
        list[str],
        dict,
        Mapping,
        Inner,
        Point,
        Pair,
        Keys,
        Any,
        object,
        str | list[str],
    )
    assert [kind for kind in taking if not takes_text(bare(kind))] == []
    assert [kind for kind in others if takes_text(bare(kind))] == []


def test_the_type_of_a_field_is_found_by_the_way_to_it() -> None:
    """By any of its names, through nested models, also through one that contains itself."""
    ways = {
        ("inner", "how-big"): int,
        ("inner", "again", "again", "how-big"): int,
        ("type",): str,
        ("sort",): str,
        ("a", "b"): list[int],
        ("inner",): Inner,
        ("inner", "size"): None,
        ("kind",): None,
        ("type", "more"): None,
    }
    assert {way: kind_at(Outer, way) for way in ways} == ways
    assert kind_at(None, ("a",)) is None
