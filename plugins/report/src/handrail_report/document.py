"""A whole HTML document, with one stylesheet, one script and a policy that lets in nothing else."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from handrail_report.elements import Content, Markup, element, joined

_SHEETS = ("plan_picture.css", "stylesheet.css")


def page(
    title: str,
    body: Content,
    *,
    stylesheet_at: str | None = None,
    script_at: str | None = None,
    icon_at: str | None = None,
) -> Markup:
    """Return a whole document.

    As it is, it is complete in itself: its styles and its script are in it. It requests nothing and
    runs no other script, which its content security policy makes sure of.

    Args:
        title: Its title.
        body: What is in its body; normally `header`, `main` and `footer`.
        stylesheet_at: Where a server has `stylesheet()`, instead of in the document. Then that
            server sets the policies, in headers, and the document has none.
        script_at: Where a server has `script()`, instead of in the document. Needs `stylesheet_at`.
        icon_at: Where a server has its icon. Needs `stylesheet_at`.
    """
    if stylesheet_at is None:
        if script_at is not None or icon_at is not None:
            raise ValueError("a document that is complete in itself requests nothing")
        quiet = element("meta", name="referrer", content="no-referrer")
        styles = joined(_policy(), quiet, Markup(f"<style>{stylesheet()}</style>"))
        scripts: Content = Markup(f"<script>{script()}</script>")
    else:
        styles = element("link", rel="stylesheet", href=stylesheet_at)
        scripts = None if script_at is None else _script_at(script_at)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        None if icon_at is None else element("link", rel="icon", href=icon_at),
        styles,
        scripts,
    )
    return Markup(f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n")


@cache
def stylesheet() -> str:
    """Return the stylesheet of reports and pages."""
    return "\n".join(map(_file, _SHEETS))


@cache
def script() -> str:
    """Return the script of reports and pages, with which one searches logs."""
    return _file("logs.js")


def _file(name: str) -> str:
    return files("handrail_report").joinpath(name).read_text(encoding="utf-8")


def _policy() -> Markup:
    allowed = (
        f"default-src 'none'; style-src {_digest(stylesheet())}; script-src {_digest(script())}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return element("meta", http_equiv="Content-Security-Policy", content=allowed)


def _digest(text: str) -> str:
    """Return how a policy names a style or a script that a document may have in it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _script_at(address: str) -> Markup:
    attributes = str(element("source", src=address, defer=True)).removeprefix("<source")
    return Markup(f"<script{attributes}</script>")
