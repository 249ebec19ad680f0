"""Markdown as steps write it in reports, with tables. There is no HTML in it, and no picture."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from handrail.redact import HIDDEN, shown_text

_LEVEL = 3  # The level of what the first headings of a text are below.


def markdown(source: str) -> Markup:
    """Return Markdown as HTML; what looks like HTML is shown as it was written."""
    tokens = _parser().parse(shown_text(source))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + _LEVEL, 6)}"
    # Once more, as a text can name each character by its number.
    return Markup(shown_text(_parser().renderer.render(tokens, _parser().options, {})))


@cache
def _parser() -> MarkdownIt:
    return _Parser("commonmark", {"html": False}).enable("table").disable("image")


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - its name there
        """Return whether an address is that of a web site."""
        # One with odd characters, or with a secret, would lead elsewhere.
        plain = url.isascii() and url.isprintable() and HIDDEN not in url
        return plain and url.startswith(("https://", "http://"))
