"""A whole HTML document, with the one stylesheet and a policy that lets nothing else in."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from handrail.html.elements import Content, Markup, element, joined

_SHEETS = ("stylesheet.css", "plan_picture.css")


def page(
    title: str,
    body: Content,
    *,
    stylesheet_at: str | None = None,
    script_at: str | None = None,
    icon_at: str | None = None,
) -> Markup:
    """Return a whole document.

    As it is, it is complete in itself: its styles are in it, and it runs no script and requests
    nothing, which its content security policy makes sure of.

    Args:
        title: Its title.
        body: What is in its body; normally `header`, `main` and `footer`.
        stylesheet_at: Where a server has `stylesheet()`, instead of in the document. Then that
            server sets the policies, in headers, and the document has none.
        script_at: Where a server has a script. Needs `stylesheet_at`.
        icon_at: Where a server has its icon. Needs `stylesheet_at`.
    """
    if stylesheet_at is None:
        if script_at is not None or icon_at is not None:
            raise ValueError("a document that is complete in itself requests nothing")
        quiet = element("meta", name="referrer", content="no-referrer")
        styles = joined(_policy(), quiet, Markup(f"<style>{stylesheet()}</style>"))
    else:
        styles = element("link", rel="stylesheet", href=stylesheet_at)
    script = None if script_at is None else _script(script_at)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        None if icon_at is None else element("link", rel="icon", href=icon_at),
        styles,
        script,
    )
    return Markup(f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n")


@cache
def stylesheet() -> str:
    """Return the stylesheet of reports and pages."""
    folder = files("handrail.html")
    return "\n".join(folder.joinpath(each).read_text(encoding="utf-8") for each in _SHEETS)


def _policy() -> Markup:
    digest = b64encode(sha256(stylesheet().encode()).digest()).decode()
    allowed = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
    policy = {"http_equiv": "Content-Security-Policy", "content": f"{allowed}form-action 'none'"}
    return element("meta", **policy)


def _script(address: str) -> Markup:
    attributes = str(element("source", src=address, defer=True)).removeprefix("<source")
    return Markup(f"<script{attributes}</script>")
