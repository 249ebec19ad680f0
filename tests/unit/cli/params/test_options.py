"""Options and arguments are made from a params model, and params from what was typed."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretStr

from handrail import Argument, FromEnv, Option
from handrail.builtin.cli.action_group import ActionCommand
from handrail.builtin.cli.params.options import options_of
from handrail.builtin.cli.params.values import labelled, labelled_need, params_from
from handrail.builtin.cli.session import OWN_OPTIONS
from handrail.errors import ActionError, ParamsError, ParamsNeededError
from handrail.params.validation import validated


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


def parse(*arguments, environ=None, model=Params, taken=frozenset({"--skip"})):
    options = options_of(model, "send", taken=taken)
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


class Parts(BaseModel):
    """Values by name: with an option only where it is given a name."""

    parts: Annotated[dict[str, int], Option("--part")] = Field(default_factory=dict)
    rest: dict[str, str] = Field(default_factory=dict)


def test_a_mapping_is_typed_by_its_names():
    """The option is repeated, and `-p` adds to it; without a marker there is no option."""
    given = parse("--part", "a=1", "--part", "b.c=2", "-p", "parts.d=3", model=Parts)
    assert given == {"parts": {"a": 1, "b.c": 2, "d": 3}}
    options = options_of(Parts, "send")
    assert [each.metavar for each in options.parameters] == ["NAME=VALUE"]
    assert [name for name, _ in options.others] == ["rest"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a"], "--part takes NAME=VALUE, not 'a'"),
        (["=1"], "--part takes NAME=VALUE, not '=1'"),
        (["a=1", "a=2"], "--part gives a twice"),
    ],
)
def test_a_name_without_a_value_is_a_usage_error(words, message):
    """And so is a name that is given twice."""
    with pytest.raises(click.UsageError, match=message):
        parse(*(part for word in words for part in ("--part", word)), model=Parts)


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
    [("limit = ", "is not TOML"), (None, "No such file"), ("[1]", "is not TOML")],
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


class Level(enum.Enum):
    """A choice of numbers."""

    LOW = 1
    HIGH = 2


class Node(BaseModel):
    """A model that contains itself."""

    key: SecretStr = SecretStr("")
    size: int = 1
    child: Node | None = None


@dataclass
class Point:
    """Something with parts."""

    x: int = 0


class Odd(BaseModel):
    """Kinds of fields that are easily got wrong."""

    level: Level = Level.LOW
    levels: list[Level] = Field(default_factory=list)
    mode: Literal[1, 2] = 1
    kind: str = Field("raw", validation_alias=AliasChoices("type", "sort"))
    deep: int = Field(1, validation_alias=AliasPath("outer", "inner"))
    name: str = ""
    counts: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    cache: bool = True
    no_cache: bool = False
    pack: bool = False
    debug: bool = False
    node: Node | None = None
    pair: tuple[int, int] = (1, 2)


def read(*arguments, environ=None):
    taken = {"--skip", *OWN_OPTIONS}
    return validated(Odd, parse(*arguments, model=Odd, environ=environ, taken=taken), "odd")


def test_choices_of_numbers_become_numbers():
    """A word of an Enum or a Literal is turned into its value, which need not be text."""
    made = read("--level", "2", "--mode", "2", "--levels", "1", "--levels", "2")
    assert (made.level, made.mode, made.levels) == (Level.HIGH, 2, [Level.LOW, Level.HIGH])
    made = read("-p", "level=2", "-p", "mode=2", "-p", "levels=[1]")
    assert (made.level, made.mode, made.levels) == (Level.HIGH, 2, [Level.LOW])


def test_options_of_aliased_fields_reach_them():
    """An option puts its value where the model looks for it, whatever kind of alias it has."""
    made = read("--kind", "x", "--deep", "3")
    assert (made.kind, made.deep) == ("x", 3)
    assert read("-p", "sort=y").kind == "y"


def test_a_number_stays_text_where_text_is_wanted():
    """-p name=007 is the text that was typed, not a number that the model refuses."""
    assert read("-p", "name=007").name == "007"
    assert read("-p", "name=true").name == "true"
    assert read("-p", "counts=[3]").counts == [3]
    assert read("--counts", "3", "--counts", "4").counts == [3, 4]


def test_no_option_means_two_things():
    """--no-x of one field gives way to a field called no_x, and to options of the command."""
    options = options_of(Odd, "odd", taken=OWN_OPTIONS)
    names = [name for each in options.parameters for name in (*each.opts, *each.secondary_opts)]
    assert len(names) == len(set(names))
    assert "--no-pack" not in names
    assert "--debug" not in names
    made = read("--no-cache", "-p", "debug=true", "--pack")
    assert (made.cache, made.no_cache, made.debug, made.pack) == (True, True, True, True)


def test_an_option_name_of_the_command_is_not_taken_by_a_marker():
    """Option("-p", "--parts") keeps --parts where -p belongs to the command."""

    class Marked(BaseModel):
        parts: Annotated[int, Option("-p", "--parts")] = 1

    (made,) = options_of(Marked, "marked", taken={"-p"}).parameters
    assert made.opts == ["--parts"]


class Keeps(BaseModel):
    """A param that is on, off, or has a value."""

    keep: bool | int = True
    target: Annotated[str, Argument()] = ""


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["t", "--keep"], {"target": "t", "keep": "true"}),
        (["--keep", "3", "t"], {"target": "t", "keep": "3"}),
        (["--keep=3"], {"keep": "3"}),
        (["--no-keep", "t"], {"target": "t", "keep": "false"}),
        (["--no-keep", "--keep", "3"], {"keep": "3"}),
        (["--keep", "--no-keep"], {"keep": "false"}),
        (["-p", "keep=false"], {"keep": False}),
        (["-p", "keep=3"], {"keep": 3}),
    ],
)
def test_the_value_of_an_option_that_is_also_on_or_off_may_be_left_out(words, given):
    """As of a param `bool | int`; the last one counts."""
    assert parse(*words, model=Keeps) == given


def test_help_shows_that_the_value_may_be_left_out():
    """And what turns the param off."""
    (keep, _) = options_of(Keeps, "keeps").parameters
    name, _ = keep.get_help_record(click.Context(click.Command("keeps")))
    assert name == "--keep [INTEGER] / --no-keep"


def test_help_says_which_option_is_taken():
    """A param whose option belongs to something else is told there, and how to set it."""

    class Shadowed(BaseModel):
        only: str = Field("", description="One name.")
        from_: str = Field("", alias="from")
        class_: str = ""
        parts: Annotated[int, Option("-p", "--parts")] = Field(1, description="How many.")
        pack: bool = True
        cache: bool = False
        no_cache: bool = False
        token: SecretStr = Field(SecretStr(""), description="Who it is.")
        token_env: str = ""
        target: Target = Field(default_factory=Target)
        target_bucket: str = ""

    taken = {"--only", "--from", "-p", *OWN_OPTIONS}
    options = options_of(Shadowed, "send", taken)
    shared = [click.Option(["-p", "pairs"], multiple=True)]
    command = ActionCommand("send", options=options, params=[*options.parameters, *shared])
    told = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "only One name. [--only is taken: use -p only=...]" in told
    assert "from [--from is taken: use -p from=...]" in told
    assert "--class TEXT" in told
    assert "--parts INTEGER How many. [default: 1] [-p is taken]" in told
    assert "--pack [default: True] [--no-pack is taken: use -p pack=false]" in told
    assert "--cache [default: False] --no-cache" in told
    assert "target_bucket [--target-bucket is taken: use -p target_bucket=...]" in told
    assert "--token-env VARIABLE" in told
    assert "token_env [--token-env is taken: use -p token_env=...]" in told
    pairs = ("-p", "only=x", "-p", "pack=false", "-p", "target_bucket=y", "-p", "token_env=z")
    made = validated(Shadowed, parse(*pairs, model=Shadowed, taken=taken), "send")
    assert (made.only, made.pack, made.target_bucket, made.token_env) == ("x", False, "y", "z")


def test_help_says_how_a_secret_is_given_whose_option_is_taken():
    class Guarded(BaseModel):
        token_env: str = ""
        token: SecretStr = SecretStr("")

    options = options_of(Guarded, "send")
    assert dict(options.others) == {
        "token": "A secret, read from the variable HANDRAIL_SEND_TOKEN.  [--token-env is taken]"
    }


def test_what_no_text_can_stand_for_has_no_option():
    """It is listed among what -p takes, as JSON."""

    class Parts(BaseModel):
        point: Point = Field(default_factory=Point)
        pair: tuple[int, str] = (1, "a")

    options = options_of(Parts, "send")
    assert [name for name, _ in options.others] == ["point", "pair"]
    given = parse("-p", 'point={"x": 3}', "-p", 'pair=[2, "b"]', model=Parts)
    assert validated(Parts, given, "send") == Parts(point=Point(3), pair=(2, "b"))


def test_a_model_within_itself_gets_options_once():
    """A recursive model ends; its inner self is for -p, but its secrets are not."""
    assert read("--node-size", "3").node.size == 3
    assert read("-p", "node.size=4").node.size == 4
    for pair in ("node.child.key=x", 'node.child={"key": "x"}', 'node={"size": 1}'):
        with pytest.raises(click.UsageError, match="secret"):
            read("-p", pair)


def test_secrets_in_lists_come_from_a_variable_as_json():
    """A list of secrets, or of models with secrets, is one variable; -p is refused for it."""

    class Inner(BaseModel):
        token: SecretStr

    class Many(BaseModel):
        keys: list[SecretStr] = Field(default_factory=list)
        inners: list[Inner] = Field(default_factory=list)

    environ = {"HANDRAIL_SEND_KEYS": '["a", "b"]', "HANDRAIL_SEND_INNERS": '[{"token": "c"}]'}
    made = validated(Many, parse(model=Many, environ=environ), "send")
    assert [key.get_secret_value() for key in made.keys] == ["a", "b"]
    assert made.inners[0].token.get_secret_value() == "c"
    for pair in ('keys=["x"]', 'inners=[{"token": "x"}]', "inners.token=x"):
        with pytest.raises(click.UsageError, match="is a secret"):
            parse("-p", pair, model=Many)


def test_a_secrets_variable_is_a_name_that_a_shell_takes():
    """Whatever the action is called, its secrets have variables of capitals and underscores."""

    class One(BaseModel):
        token: SecretStr

    (secret,) = options_of(One, "da-shed näme").secrets
    assert secret.variable == "HANDRAIL_DA_SHED_N_ME_TOKEN"


def test_two_endless_arguments_are_told():
    """Two arguments that take any number of values cannot be told apart."""

    class Two(BaseModel):
        first: Annotated[list[str], Argument()]
        second: Annotated[list[str], Argument()]

    with pytest.raises(
        ActionError, match="two arguments that take any number of values: FIRST and SECOND"
    ):
        options_of(Two, "two")


def test_help_tells_of_params_without_an_option():
    """What only -p reaches is listed too, and what an optional model needs is told as such."""

    class Outer(BaseModel):
        labels: dict[str, int] = Field(default_factory=dict, description="By name.")
        inner: Later | None = None

    class Later(BaseModel):
        bucket: str

    Outer.model_rebuild(_types_namespace={"Later": Later})
    options = options_of(Outer, "outer")
    command = ActionCommand("outer", options=options, params=options.parameters)
    text = CliRunner().invoke(command, ["--help"]).output
    assert "labels  By name." in text
    assert "--inner-bucket TEXT  [required for inner]" in text


def test_a_missing_model_is_told_by_its_options():
    """A required nested model that was left out is named by what can be typed."""

    class Inner(BaseModel):
        bucket: str
        parts: int = 1

    class Outer(BaseModel):
        target: Inner

    with pytest.raises(ParamsError) as error:
        validated(Outer, {}, "outer")
    better = labelled(error.value, options_of(Outer, "outer"))
    assert better.fields == (("--target-bucket", "is required"),)


@pytest.mark.parametrize("pair", ["=3", ".=3", "a..b=3", "target.=3"])
def test_a_pair_with_an_odd_key_is_a_usage_error(pair):
    """-p takes a name, or names with dots between them."""
    with pytest.raises(click.UsageError, match="key=value"):
        parse("photos", "-p", pair)


def test_json_that_is_nested_too_deeply_is_no_crash(tmp_path):
    """A hundred thousand brackets are text for -p, and a usage error in a file."""
    assert parse("photos", "-p", f"skip={'[' * 100_000}")["skip"].startswith("[[[")
    file = tmp_path / "p.json"
    file.write_text("[" * 100_000)
    with pytest.raises(click.UsageError, match="nested too deeply"):
        parse("photos", "--params", str(file))


def test_a_param_that_a_plan_needs_is_told_as_it_is_typed():
    """The way out is the argument, the option or the variable, not what the field is called."""
    options = options_of(Params, "send")
    for path, way in ((("source",), "SOURCE ..."), (("limit",), "--limit ...")):
        error = labelled_need(ParamsNeededError("send", path), options)
        assert error.ways_out == (f"give it: {way}",)
