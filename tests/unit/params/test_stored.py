"""Params as a journal keeps them, and back: nothing that is secret, all that is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, DirectoryPath, Field, FilePath, PostgresDsn, SecretStr

from handrail import BaseAction, FromEnv
from handrail.actions import about_action
from handrail.errors import ParamsError
from handrail.params.stored import not_kept, params_of, params_text
from handrail.params.validation import unchecked

URL = "postgresql://ada:hunter2@db/acme"
HIDDEN = "postgresql://ada:**********@db/acme"


class Target(BaseModel):
    """A model in a model."""

    dsn: str = ""
    size: int = 1


class Database(BaseModel):
    """Passwords at every place where one may be."""

    url: str
    typed: PostgresDsn | None = None
    urls: list[str] = []
    options: dict[str, Any] = {}
    target: Target = Target()
    named: str = Field(default="", alias="as")
    count: int = 0
    token: Annotated[SecretStr | None, FromEnv("ACME_TOKEN")] = None


GIVEN = {
    "url": URL,
    "typed": URL,
    "urls": ["postgresql://ada@db", URL],
    "options": {"a": {"b": [URL]}},
    "target": {"dsn": URL, "size": 3},
    "as": URL,
    "count": 5,
    "token": "hunter2-token",
}
VARIABLES = {
    "HANDRAIL_LOAD_URL": URL,
    "HANDRAIL_LOAD_TYPED": URL,
    "HANDRAIL_LOAD_URLS": json.dumps(GIVEN["urls"]),
    "HANDRAIL_LOAD_OPTIONS": json.dumps(GIVEN["options"]),
    "HANDRAIL_LOAD_TARGET_DSN": URL,
    "HANDRAIL_LOAD_AS": URL,
    "ACME_TOKEN": "hunter2-token",
}


def test_what_has_a_password_is_asked_for_again_and_the_rest_is_kept():
    """By one variable each, those of lists and mappings as JSON."""
    text = params_text(Database, Database.model_validate(GIVEN), "load")
    assert "hunter2" not in text
    assert params_of(text, "load", VARIABLES) == GIVEN
    assert [variable for _, variable in not_kept(text)] == [
        variable for variable in VARIABLES if variable != "ACME_TOKEN"
    ]


def test_what_is_missing_is_told_without_its_password():
    """All of it at once."""
    text = params_text(Database, Database.model_validate(GIVEN), "load")
    with pytest.raises(ParamsError) as missing:
        params_of(text, "load", {})
    told = dict(missing.value.fields)
    assert set(told) == {"url", "typed", "urls", "options", "target.dsn", "as", "token"}
    assert told["url"] == (
        f"was {HIDDEN}, and a password is never stored; set HANDRAIL_LOAD_URL as when the run began"
    )
    assert HIDDEN in told["options"]
    assert told["token"].startswith("is a secret, which is never stored; set ACME_TOKEN")
    assert "hunter2" not in str(missing.value)


def test_an_empty_variable_is_as_good_as_none():
    """A run must not go on without the secret that it began with."""
    text = params_text(Database, Database.model_validate(GIVEN), "load")
    with pytest.raises(ParamsError) as missing:
        params_of(text, "load", {**VARIABLES, "ACME_TOKEN": "", "HANDRAIL_LOAD_URL": ""})
    told = dict(missing.value.fields)
    assert set(told) == {"url", "token"}
    assert told["token"].endswith("; set ACME_TOKEN as when the run began, it is empty now")


def test_a_secret_that_was_empty_needs_no_variable():
    """It is no secret."""
    for model in (Database, None):
        given = {**GIVEN, "token": ""} if model is Database else {"token": "", "password": ""}
        params = model.model_validate(given) if model else given
        kept = params_of(params_text(model, params, "load"), "load", VARIABLES)
        assert kept["token"] == ""
        assert params_of(
            params_text(model, params, "load"), "load", {**VARIABLES, "ACME_TOKEN": ""}
        )


def test_params_without_a_password_are_all_kept():
    given = {"url": "postgresql://ada@db/acme", "urls": ["http://host:80/a@b"]}
    text = params_text(Database, Database.model_validate(given), "load")
    assert not_kept(text) == []
    kept = Database.model_validate(params_of(text, "load", {}))
    assert (kept.url, kept.urls) == (given["url"], given["urls"])


def test_an_action_without_a_model_keeps_no_password_either():
    text = params_text(None, {"url": URL, "count": 3}, "load")
    assert "hunter2" not in text
    assert params_of(text, "load", {"HANDRAIL_LOAD_URL": URL}) == {"url": URL, "count": 3}


def test_a_field_of_the_context_that_is_called_like_one_is_made_anew():
    """It gets its value from the params, so that it need not be stored."""

    class Load(BaseAction[Database]):
        action_name = "load"

    about = about_action(Load(GIVEN, packs=()))
    named = {"url", "typed", "urls", "options", "target", "as", "named", "token"}
    assert about.secrets == named
    assert about.mask(f"at {URL} with hunter2-token") == f"at {HIDDEN} with **********"


class Files(BaseModel):
    """Params that are valid while something is there."""

    source: FilePath
    folder: DirectoryPath | None = None
    size: int = Field(gt=3)
    target: Target = Target()
    token: SecretStr | None = None


def test_params_that_are_not_valid_any_more_keep_their_types():
    """Whatever the model says of their values."""
    values = {"source": "gone", "size": 1, "target": {"dsn": "a", "size": "2"}, "token": "t"}
    made = unchecked(Files, values)
    assert isinstance(made, Files)
    assert (made.source, made.folder, made.size) == (Path("gone"), None, 1)
    assert made.target == Target(dsn="a", size=2)
    assert made.token == SecretStr("t")


class Strict(BaseModel, strict=True):
    """Params that take no text where they want a number."""

    pin: Annotated[int, FromEnv("ACME_PIN")]
    word: Annotated[str, FromEnv("ACME_WORD")]


def test_a_secret_is_read_as_it_was_when_the_run_began():
    """As its field takes it."""
    text = params_text(Strict, Strict(pin=7, word="7"), "load")
    read = params_of(text, "load", {"ACME_PIN": "7", "ACME_WORD": "7"}, Strict)
    assert read == {"pin": 7, "word": "7"}
    assert Strict.model_validate(read) == Strict(pin=7, word="7")
