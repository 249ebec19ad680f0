"""Builds HTML and SVG from values, and escapes by construction all that is not markup already.

An element is a function call, and what is in it are values: a text is escaped wherever it comes
from, secrets in it are masked, and characters that control something or turn the direction of text
are spelled out, as in a terminal. Nothing else in Handrail writes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape

from markupsafe import Markup

from handrail.redact import shown_text

Content = str | int | float | None | Iterable["Content"]
"""What can be in an element: text, markup, numbers, and any nesting of these; None is nothing."""

# Without an end tag.
_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
# Their content is no text, so that nothing here could escape it.
_RAW = frozenset({"iframe", "noscript", "object", "script", "style", "template"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ADDRESSES = frozenset({"action", "cite", "formaction", "href", "poster", "src"})
# Within the page, to another page of the same server, or to a web site.
_LINK = re.compile(r"#|\?|/(?!/)|\./|https?://")
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/]*=*$")


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return an element.

    Args:
        name: Its name, such as `section`; those whose content is no text are refused.
        content: What is in it.
        attributes: Its attributes. `class_` is `class`, and `aria_label` is `aria-label`. True is
            an attribute without a value; one that is None or False is left out.

    Raises:
        ValueError: The name is not that of an element with text, an attribute could run code, or
            an address leads neither to a web site nor to a place in the same page or server.
    """
    if name in _RAW or not _NAME.fullmatch(name):
        raise ValueError(f"no element of this name can be made: {name!r}")
    opened = f"<{name}{''.join(map(_attribute, attributes.items()))}>"
    if name in _VOID:
        return Markup(opened)
    return Markup(f"{opened}{joined(*content)}</{name}>")


def joined(*content: Content) -> Markup:
    """Return contents one after the other, without an element around them."""
    return Markup("".join(_parts(content)))


def text(value: object) -> Markup:
    """Return a value as text: escaped, with secrets masked, and on as many lines as it has."""
    return Markup(escape(shown_text(value), quote=False))


def _parts(content: Iterable[Content]) -> Iterable[str]:
    for each in content:
        if isinstance(each, Markup):
            yield each
        elif isinstance(each, str | int | float):
            yield text(each)
        elif each is not None:
            yield from _parts(each)


def _attribute(item: tuple[str, object]) -> str:
    name, value = _attribute_name(item[0]), item[1]
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    # A masked address would lead elsewhere; in any other attribute a secret is text like another.
    shown = shown_text(value, one_line=True)
    if name in _ADDRESSES and not _is_address(name, shown):
        raise ValueError(f"{name} does not lead to a page or a picture: {shown[:80]!r}")
    return f' {name}="{escape(shown)}"'


@lru_cache(maxsize=256)
def _attribute_name(keyword: str) -> str:
    name = keyword.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name.lower().startswith("on") or name == "srcdoc":
        raise ValueError(f"no attribute of this name can be set: {keyword!r}")
    return name


def _is_address(name: str, value: str) -> bool:
    if name in ("src", "poster") and value.startswith("data:"):
        return _PICTURE.match(value) is not None
    return _LINK.match(value) is not None
