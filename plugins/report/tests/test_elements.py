"""Elements: all that is not markup is escaped, wherever it stands, and nothing can run."""

from __future__ import annotations

import pytest
from documents import read

from handrail.redact import KNOWN
from handrail_report import Markup, element, joined, page, stylesheet


def test_text_is_escaped_and_markup_is_not() -> None:
    """Also in lists, in attributes, and where it looks like what was escaped already."""
    made = element("p", "<b>&amp;", [1, None, ("x", Markup("<i>y</i>"))], title='"><script>')
    assert made == ('<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;amp;1x<i>y</i></p>')


def test_what_controls_or_turns_text_is_spelled_out() -> None:
    made = element("p", "a\x1b[2J\u202eb\r\nc\td", title="one\ntwo\u2066")
    assert made == '<p title="one\\ntwo\\u2066">a\\x1b[2J\\u202eb\nc       d</p>'


def test_known_secrets_are_masked() -> None:
    """As in a terminal: what a run says may have what it was given."""
    KNOWN.learn(["correct-horse"])
    try:
        made = element("p", "it is correct-horse", title="correct-horse")
    finally:
        KNOWN.forget()
    assert "horse" not in made


@pytest.mark.parametrize("name", ["script", "style", "iframe", "template", "p onclick", "", "1"])
def test_elements_whose_content_is_no_text_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no element"):
        element(name, "text")


@pytest.mark.parametrize("name", ["onclick", "ONLOAD", "a b", "a=b", "srcdoc", "x>"])
def test_attributes_that_could_run_code_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no attribute"):
        element("p", **{name: "x"})


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "JavaScript:x", " javascript:x", "java\tscript:x", "vbscript:x"),
        *("data:text/html,x", "data:image/svg+xml,<svg>", "//elsewhere", "file:///etc/passwd"),
    ],
)
@pytest.mark.parametrize("name", ["href", "src", "action", "formaction"])
def test_addresses_lead_to_a_page_or_a_picture(name: str, address: str) -> None:
    with pytest.raises(ValueError, match="does not lead"):
        element("a", **{name: address})


def test_attributes_are_named_as_in_python() -> None:
    made = element("input", class_="a", aria_label="b", hidden=True, disabled=False, value=None)
    assert made == '<input class="a" aria-label="b" hidden>'


def test_a_document_says_that_it_lets_nothing_in() -> None:
    """Its policy allows its own styles, by their digest, and pictures in it; nothing else."""
    top = read(page("a <title>", joined(element("main", "x"))))
    [policy] = [
        each.attributes["content"]
        for each in top.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert next(top.all("title")).words == "a <title>"


def test_the_page_of_a_server_has_neither_styles_nor_policy_of_its_own() -> None:
    made = page("a", element("main"), stylesheet_at="/style.css", script_at="/live.js")
    assert stylesheet() not in made
    assert '<link rel="stylesheet" href="/style.css">' in made
    assert '<script src="/live.js" defer></script>' in made
    with pytest.raises(ValueError, match="complete in itself"):
        page("a", element("main"), script_at="/live.js")
    with pytest.raises(ValueError, match="does not lead"):
        page("a", element("main"), stylesheet_at="/s.css", script_at="javascript:x")
