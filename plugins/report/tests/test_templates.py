"""Templates: whatever is not markup is escaped, masked and spelled out, wherever it stands."""

from __future__ import annotations

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from documents import read
from jinja2 import UndefinedError
from markupsafe import Markup

from handrail.redact import KNOWN
from handrail_report import Templates, page, stylesheet

ADDRESSES = re.compile(r"(?:href|src|action|formaction|poster|cite)=\"\{\{([^}]*)\}\}")


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Templates:
    """The templates of a package, of which `text.html` has a value in it and in an attribute."""
    folder = tmp_path / "acme_pages/templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "text.html").write_text('<p title="{{ value }}">{{ value }}</p>')
    (folder / "link.html").write_text('{{ anchor(value, "more") }}')
    (folder / "picture.html").write_text('<img src="{{ value|picture }}">')
    (folder / "parts.html").write_text(
        "{% block one %}{{ value }}{% endblock %}{% block two %} {% endblock %}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return Templates("acme_pages")


def test_text_is_escaped_and_markup_is_not(templates: Templates) -> None:
    """Also in attributes, and where it looks like what was escaped already."""
    made = templates.render("text.html", value='"><script>&amp;')
    assert made == (
        '<p title="&#34;&gt;&lt;script&gt;&amp;amp;">&#34;&gt;&lt;script&gt;&amp;amp;</p>'
    )
    assert made in templates.render("text.html", value=made)


def test_what_controls_or_turns_text_is_spelled_out(templates: Templates) -> None:
    made = templates.render("text.html", value="a\x1b[2J\u202eb\r\nc\td")
    assert made.count("a\\x1b[2J\\u202eb\nc       d") == 2


def test_known_secrets_are_masked(templates: Templates) -> None:
    """As in a terminal: what a run says may have what it was given."""
    KNOWN.learn(["correct-horse"])
    try:
        made = templates.render("text.html", value="it is correct-horse")
    finally:
        KNOWN.forget()
    assert "horse" not in made


@pytest.mark.parametrize("address", ["#a", "?b=1", "/runs/1", "./x", "https://x.example/"])
def test_links_lead_to_a_page(address: str, templates: Templates) -> None:
    assert templates.render("link.html", value=address) == f'<a href="{address}">more</a>'


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "JavaScript:x", " javascript:x", "java\tscript:x", "vbscript:x"),
        *("data:text/html,x", "data:image/svg+xml,<svg>", "//elsewhere", "file:///etc/passwd"),
    ],
)
@pytest.mark.parametrize("template", ["link.html", "picture.html"])
def test_no_other_address_is_written(template: str, address: str, templates: Templates) -> None:
    with pytest.raises(ValueError, match="does not lead"):
        templates.render(template, value=address)


def test_a_value_that_is_missing_is_no_empty_text(templates: Templates) -> None:
    with pytest.raises(UndefinedError):
        templates.render("text.html")


def test_sections_are_the_blocks_that_have_something(templates: Templates) -> None:
    assert templates.sections("parts.html", value="<") == {"one": "&lt;"}


def test_a_document_says_that_it_lets_nothing_in() -> None:
    """Its policy allows its own styles, by their digest, and pictures in it; nothing else."""
    top = read(page("a <title>", Markup("<main>x</main>")))
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
    body = Markup("<main></main>")
    made = page("a", body, stylesheet_at="/style.css", script_at="/live.js")
    assert stylesheet() not in made
    assert '<link rel="stylesheet" href="/style.css">' in made
    assert '<script src="/live.js" defer></script>' in made
    with pytest.raises(ValueError, match="complete in itself"):
        page("a", body, script_at="/live.js")
    with pytest.raises(ValueError, match="does not lead"):
        page("a", body, stylesheet_at="/s.css", script_at="javascript:x")


@pytest.mark.parametrize("package", ["handrail_report", "handrail_web"])
def test_every_address_of_a_template_passes_a_filter(package: str) -> None:
    """And none calls markup what is not, but for attributes that it writes itself."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    for file in (Path(spec.origin).parent / "templates").glob("*.html"):
        source = file.read_text("utf-8")
        for expression in ADDRESSES.findall(source):
            assert re.search(r"\|\s*(?:address|picture|as_file\(media\))\s*$", expression), (
                file.name,
                expression,
            )
        unsafe = re.findall(r"(\S+)\s*\|\s*(?:safe|e|escape|tojson|forceescape)\b", source)
        assert [each for each in unsafe if not each.endswith(("'", '"'))] == [], file.name
