"""Passwords of URLs, in texts of all kinds."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handrail.redact import (
    HIDDEN,
    Mask,
    has_password,
    is_secret_name,
    json_has_password,
    shown,
    shown_url,
    without_passwords,
    without_secrets,
)

PASSWORDS = st.text(
    st.characters(blacklist_categories=("Cs", "Zs", "Zl", "Zp", "Cc"), blacklist_characters="/?#@"),
    min_size=1,
).filter(lambda text: not any(each.isspace() for each in text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.org:8080/a@b",
        "http://host:80",
        "s3://bucket/a:b@c",
        "postgresql://ada@db/acme",
        "ada:secret@db",
        "mail ada@example.org: see http://a",
        "http://[::1]:80/x@y",
    ],
)
def test_what_has_no_password_stays_as_it_is(text):
    assert without_passwords(text) == text
    assert not has_password(text)
    assert not json_has_password(json.dumps([text, {"a@b": text, "c": "d@e"}]))


@given(password=PASSWORDS, before=st.text(), after=st.text())
def test_a_password_is_found_wherever_it_stands(password, before, after):
    """In a text, as JSON, and once hidden never again."""
    url = f"postgresql://ada:{password}@db/acme"
    text = f"{before} {url} {after}"
    hidden = without_passwords(text)
    assert f"ada:{password}@" not in hidden
    assert "postgresql://ada:**********@db/acme" in hidden
    assert without_passwords(hidden) == hidden
    assert json_has_password(json.dumps({"a": [text]}))
    assert json_has_password(json.dumps({text: 1}))
    assert not json_has_password(json.dumps({"a": [hidden]}))


def test_a_url_is_shown_without_what_may_be_a_password():
    assert shown_url("postgresql://ada:a/b@c@db/x") == "postgresql://ada:**********@db/x"
    assert shown_url("postgresql://ada@db/x?sslpassword=a&b=c") == (
        "postgresql://ada@db/x?sslpassword=**********&b=c"
    )
    assert shown_url("/srv/runs.db") == "/srv/runs.db"


@given(secret=st.text(min_size=4), before=st.text(), after=st.text())
def test_a_known_secret_is_found_however_it_is_written(secret, before, after):
    """As text, as JSON, by `repr` and in a URL, also within a longer text, and quoted twice."""
    assume(len(secret.strip()) >= 4 and "*" not in secret)
    mask = Mask([secret])
    text = f"{before}{secret}{after}"
    # Where a neighbour belongs to the same sequence, the secret is not there as it is.
    assume(text.count(secret) == 1)
    for written in (text, json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text)):
        assert HIDDEN in mask(written)
    for twice in (json.dumps(json.dumps(text)), repr(repr(text)), json.dumps(repr(text))):
        assert HIDDEN in mask(twice)
    assert HIDDEN in mask(quote(secret, safe=""))
    assert HIDDEN in mask(quote_plus(secret))


@given(secret=st.text("abcXYZ019_-é", min_size=8), before=st.binary(), after=st.binary())
def test_a_known_secret_is_found_in_base64(secret, before, after):
    """Wherever in the content it stands, such as after the name of a user."""
    content = before + secret.encode() + after
    for encode in (b64encode, urlsafe_b64encode):
        assert HIDDEN in Mask([secret])(encode(content).decode())


def test_a_short_secret_is_found_as_a_word():
    """Otherwise a pin would hide half of the output."""
    assert Mask(["a1"])("a1 or a1b") == "********** or a1b"


def test_only_so_many_secrets_are_remembered():
    """The latest; but all of those that come together."""
    mask = Mask(most=2)
    mask.learn(["first", "second", "third"])
    assert mask("first second third") == "********** ********** **********"
    mask.learn(["fourth"])
    assert mask("first second third fourth") == "first second ********** **********"


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("postgresql://ada:hun/ter8@db/acme", "postgresql://ada:**********@db/acme"),
        ("postgresql://db/a?user=a&password=h7", "postgresql://db/a?user=a&password=**********"),
        ("https://x/a?sv=1&sig=a%2F=&se=2", "https://x/a?sv=1&sig=**********&se=2"),
        ("https://x/a?X-Amz-Signature=00ff#b", "https://x/a?X-Amz-Signature=**********#b"),
        ("see ('https://x/a?access_token=t7')", "see ('https://x/a?access_token=**********')"),
        ("https://x/a?page=2&design=3", "https://x/a?page=2&design=3"),
    ],
)
def test_a_url_has_its_password_in_many_places(url, hidden):
    assert without_passwords(url) == hidden
    assert has_password(url) == (url != hidden)
    assert without_passwords(hidden) == hidden


@pytest.mark.parametrize("name", ["password", "githubToken", "api_key", "DB_PASSWD", "secrets"])
def test_a_name_tells_of_a_secret(name):
    assert is_secret_name(name)
    assert without_secrets("", {name: ["x", {"y": "z"}]}) == {name: [HIDDEN, {"y": HIDDEN}]}


@pytest.mark.parametrize("name", ["tokenizer", "token_count", "password_file", "key", "passage"])
def test_a_name_may_only_be_about_secrets(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["api_keys", "token_1", "passwords", "secret_value"])
def test_a_setting_is_hidden_whose_name_may_be_that_of_a_secret(name):
    """The setting is of anybody, so no type tells what it is."""
    assert shown(name, ["x"]) == HIDDEN
