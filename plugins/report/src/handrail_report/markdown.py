"""The small part of Markdown that steps write in reports; anything else is text.

Headings, lists, code, quotes, bold, italic, and links to web sites. There is no HTML in it: what
looks like some is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from markupsafe import Markup

from handrail_report.elements import Content, element, joined, text

_INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\*\*(?P<bold>[^*]+)\*\*"
    r"|(?<!\w)[*_](?P<italic>[^*_\s][^*_]*)[*_](?!\w)"
    r"|\[(?P<words>[^\]]+)\]\((?P<link>https?://[^\s)]+)\)"
)
_HEADING = re.compile(r"(#{1,6})\s+(.+)")
_ITEM = re.compile(r"\s*(?:[-*+]|(?P<number>\d{1,9})[.)])\s+(.+)")
# What begins another block than a paragraph: nothing, code, a quote, a heading, an item.
_BLOCK = re.compile(rf"\s*$|\s*```|>|{_HEADING.pattern}|{_ITEM.pattern}")


def markdown(source: str, *, level: int = 4) -> Markup:
    """Return Markdown as HTML.

    Args:
        source: The text.
        level: The level of its first headings.
    """
    return element("div", list(_blocks(source.splitlines(), level)), class_="markdown")


def _blocks(lines: list[str], level: int) -> Iterator[Content]:
    place = 0
    while place < len(lines):
        line = lines[place]
        if not line.strip():
            place += 1
        elif line.lstrip().startswith("```"):
            end = _until(lines, place + 1, lambda each: each.lstrip().startswith("```"))
            yield element("pre", text("\n".join(lines[place + 1 : end])))
            place = end + 1
        elif heading := _HEADING.match(line):
            yield element(f"h{min(level - 1 + len(heading[1]), 6)}", _inline(heading[2]))
            place += 1
        elif first := _ITEM.match(line):
            end = _until(lines, place, lambda each: not _ITEM.match(each))
            items = [_ITEM.match(each) for each in lines[place:end]]
            kind = "ol" if first["number"] else "ul"
            yield element(kind, [element("li", _inline(item[2])) for item in items if item])
            place = end
        elif line.startswith(">"):
            end = _until(lines, place, lambda each: not each.startswith(">"))
            said = " ".join(each.lstrip("> ") for each in lines[place:end])
            yield element("blockquote", element("p", _inline(said)))
            place = end
        else:
            end = _until(lines, place + 1, _BLOCK.match)
            yield element("p", _inline(" ".join(lines[place:end])))
            place = end


def _until(lines: list[str], start: int, ends: Callable[[str], object]) -> int:
    return next((place for place in range(start, len(lines)) if ends(lines[place])), len(lines))


def _inline(source: str) -> Markup:
    parts: list[Content] = []
    last = 0
    for found in _INLINE.finditer(source):
        parts.append(source[last : found.start()])
        last = found.end()
        if found["code"]:
            parts.append(element("code", found["code"]))
        elif found["bold"]:
            parts.append(element("strong", _inline(found["bold"])))
        elif found["italic"]:
            parts.append(element("em", found["italic"]))
        else:
            parts.append(_link(found["words"], found["link"]))
    return joined(parts, source[last:])


def _link(words: str, address: str) -> Content:
    # One with odd characters, or with a secret, would lead elsewhere.
    if not address.isascii() or not address.isprintable():
        return f"[{words}]({address})"
    return element("a", words, href=address, rel="noopener noreferrer")
