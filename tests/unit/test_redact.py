"""Passwords of URLs, in texts of all kinds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.redact import has_password, json_has_password, shown_url, without_passwords

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
