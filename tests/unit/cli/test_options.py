"""Options and arguments are made from a params model, and params from what was typed."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field, SecretStr

from handrail import Argument, FromEnv, Option
from handrail.cli.given import labelled, params_from
from handrail.cli.options import options_of
from handrail.errors import ParamsError
from handrail.params import validated


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Target(BaseModel):
    """A nested model."""

    bucket: str = "b"
    parts: int = 4


class Params(BaseModel):
    """One field of each kind."""

    source: Annotated[Path, Argument()]
    more: Annotated[list[str], Argument()] = Field(default_factory=list)
    limit: Annotated[int, Option("-n", "--limit")] = Field(10, description="How many to send.")
    ratio: float | None = None
    tags: list[str] = Field(default_factory=list)
    colour: Colour = Colour.RED
    mode: Literal["fast", "safe"] = "safe"
    keep: bool = False
    target: Target = Field(default_factory=Target)
    labels: dict[str, str] = Field(default_factory=dict)
    token: SecretStr | None = None
    other: Annotated[SecretStr | None, FromEnv("ACME_TOKEN")] = None
    skip: str = ""


def parse(*arguments, environ=None, model=Params):
    options = options_of(model, "send", taken={"--skip"})
    given = {}

    def callback(**values):
        context = click.get_current_context()
        given.update(
            params_from(
                context,
                options,
                file=values["params"],
                pairs=values["pairs"],
                environ=environ or {},
            )
        )

    shared = [click.Option(["--params"]), click.Option(["-p", "pairs"], multiple=True)]
    command = click.Command("send", params=[*options.parameters, *shared], callback=callback)
    command.main(list(arguments), standalone_mode=False)
    return given


def test_each_kind_of_field_can_be_typed():
    """Arguments, options, lists, choices, flags and nested fields become params."""
    given = parse(
        *("photos", "x", "y", "-n", "3", "--ratio", "0.5", "--tags", "a", "--tags", "b"),
        *("--colour", "blue", "--mode", "fast", "--keep", "--target-bucket", "raw"),
    )
    made = validated(Params, given, "send")
    assert made.source == Path("photos")
    assert made.more == ["x", "y"]
    assert (made.limit, made.ratio, made.tags) == (3, 0.5, ["a", "b"])
    assert (made.colour, made.mode, made.keep) == (Colour.BLUE, "fast", True)
    assert made.target == Target(bucket="raw")


def test_what_was_not_typed_is_not_given():
    """Defaults are left to the model."""
    assert parse("photos") == {"source": "photos"}


def test_pairs_fill_the_rest_and_options_win():
    """-p takes JSON or text under dotted keys; an option of its own wins over it."""
    given = parse(
        *("photos", "-p", 'labels={"a": "b"}', "-p", "target.parts=8", "-p", "limit=5"),
        *("--limit", "6", "-p", "skip=it"),
    )
    made = validated(Params, given, "send")
    assert made.labels == {"a": "b"}
    assert made.target.parts == 8
    assert made.limit == 6
    assert made.skip == "it"


def test_a_params_file_is_read_and_pairs_win(tmp_path):
    """--params reads JSON and TOML; -p and options win over it."""
    toml = tmp_path / "p.toml"
    toml.write_text('source = "a"\nlimit = 2\n[target]\nparts = 3\n')
    given = parse("--params", str(toml), "-p", "limit=4")
    assert given == {"source": "a", "limit": 4, "target": {"parts": 3}}
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"source": "b"}))
    assert parse("--params", str(file))["source"] == "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [("limit = ", "not valid TOML"), (None, "No such file"), ("[1]", "not valid TOML")],
)
def test_a_params_file_that_cannot_be_read_is_named(tmp_path, text, message):
    """A missing or broken params file is a usage error with its name."""
    file = tmp_path / "p.toml"
    if text is not None:
        file.write_text(text + "\n" if text == "limit = " else "= 1")
    with pytest.raises(click.UsageError, match=message):
        parse("photos", "--params", str(file))


def test_secrets_come_from_variables_only():
    """A secret has no option for its value; its variable can be named, and -p refuses it."""
    given = parse("photos", environ={"HANDRAIL_SEND_TOKEN": "s1", "ACME_TOKEN": "s2"})
    assert (given["token"], given["other"]) == ("s1", "s2")
    given = parse("photos", "--token-env", "MINE", environ={"MINE": "s3"})
    assert given["token"] == "s3"
    with pytest.raises(click.UsageError, match="MINE is not set"):
        parse("photos", "--token-env", "MINE")
    with pytest.raises(click.UsageError, match="is a secret"):
        parse("photos", "-p", "token=abc")
    with pytest.raises(click.UsageError):
        parse("photos", "--token", "abc")


def test_help_tells_defaults_descriptions_and_what_is_required():
    """Each option's help has its description, its default or that it is required."""

    class Small(BaseModel):
        name: str = Field(description="Who is meant.")
        limit: int = Field(10, description="How many.")

    options = options_of(Small, "small")
    text = CliRunner().invoke(click.Command("small", params=options.parameters), ["--help"]).output
    assert "Who is meant.  [required]" in text
    assert "How many.  [default: 10]" in text


def test_errors_are_told_in_the_words_of_the_command_line():
    """A field is called by its argument, its option, or -p."""
    options = options_of(Params, "send", taken={"--skip"})
    with pytest.raises(ParamsError) as error:
        validated(Params, {"limit": "x", "target": {"parts": "y"}, "tags": [{}]}, "send")
    named = dict(labelled(error.value, options).fields)
    assert named["SOURCE"] == "is required"
    assert "valid integer" in named["--limit"]
    assert "valid integer" in named["--target-parts"]
    assert "--tags [0]" in named


def test_a_pair_without_a_value_is_a_usage_error():
    """-p takes key=value."""
    with pytest.raises(click.UsageError, match="key=value"):
        parse("photos", "-p", "limit")
