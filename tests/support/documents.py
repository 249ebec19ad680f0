"""Reads HTML documents, and finds what is wrong with them, also for those who do not see them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

VOID = ("br", "col", "hr", "img", "input", "link", "meta", "source", "wbr")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclass
class Node:
    """An element: its name, its attributes, and the texts and elements in it."""

    name: str
    attributes: Mapping[str, str | None]
    above: Node | None = None
    content: list[Node | str] = field(default_factory=list["Node | str"])

    @property
    def below(self) -> list[Node]:
        """The elements directly in it."""
        return [each for each in self.content if isinstance(each, Node)]

    def all(self, *names: str) -> Iterator[Node]:
        """Yield the elements in it, in the order of the document; those of some names, if given."""
        for each in self.below:
            if not names or each.name in names:
                yield each
            yield from each.all(*names)

    @property
    def words(self) -> str:
        """All text in it."""
        return "".join(each if isinstance(each, str) else each.words for each in self.content)

    def is_in(self, *names: str) -> bool:
        """Return whether it is in an element of one of these names."""
        above = self.above
        return above is not None and (above.name in names or above.is_in(*names))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.top = self.here = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice: {attrs}"
        node = Node(tag, dict(attrs), self.here)
        self.here.content.append(node)
        if tag not in VOID:
            self.here = node

    def handle_endtag(self, tag: str) -> None:
        assert self.here.name == tag, f"</{tag}> ends <{self.here.name}>"
        assert self.here.above is not None
        self.here = self.here.above

    def handle_data(self, data: str) -> None:
        self.here.content.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read(html: str) -> Node:
    """Return a document; each element in it is closed, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.here is reader.top, f"<{reader.here.name}> is not closed"
    return reader.top


def mistakes(top: Node) -> list[str]:
    """Return what is wrong with a document for those who do not see it, or use no mouse."""
    return [*_of_structure(top), *_of_names(top), *_of_tables(top)]


def _of_structure(top: Node) -> Iterator[str]:
    [html] = top.all("html")
    if not html.attributes.get("lang"):
        yield "the document has no language"
    if not next(top.all("title")).words.strip():
        yield "the document has no title"
    if len(list(top.all("main"))) != 1:
        yield "there is not exactly one main"
    ids = [each.attributes["id"] for each in top.all() if "id" in each.attributes]
    yield from (f"the id {each} is there twice" for each in set(ids) if ids.count(each) > 1)
    regions = [each for each in top.all() if each.name == "section" or "role" in each.attributes]
    names = [
        each.attributes.get("aria-label") or _named_by(top, each)
        for each in regions
        if each.name == "section" or each.attributes["role"] == "region"
    ]
    yield from (f"two regions are called {each}" for each in set(names) if names.count(each) > 1)
    levels = [int(each.name[1]) for each in top.all(*HEADINGS)]
    if levels[:1] != [1] or levels.count(1) != 1:
        yield "the first heading is not the only h1"
    for before, after in pairwise(levels):
        if after > before + 1:
            yield f"an h{after} follows an h{before}"
    for each in top.all():
        for name in ("aria-labelledby", "href"):
            value = each.attributes.get(name) or ""
            target = value.removeprefix("#") if name != "href" or value.startswith("#") else None
            if value and target is not None and target not in ids:
                yield f"{name} of <{each.name}> leads nowhere: {value}"


def _named_by(top: Node, node: Node) -> str:
    name = node.attributes.get("aria-labelledby")
    found = (each.words for each in top.all() if each.attributes.get("id") == name)
    return next(found, "")


def _of_names(top: Node) -> Iterator[str]:
    for each in top.all("svg", "img", "input", "a", "nav", "section", "summary"):
        hidden = each.attributes.get("aria-hidden") == "true"
        label = each.attributes.get("aria-label") or each.attributes.get("aria-labelledby")
        label = label or "".join(title.words for title in each.below if title.name == "title")
        if each.name == "svg" and not (
            hidden or (label and each.attributes.get("role") in ("img", "group"))
        ):
            inside = each.above is not None and each.is_in("svg")
            if not inside:
                yield "a picture has no label"
        if each.name == "svg" and each.attributes.get("role") == "img" and any(each.all("a")):
            yield "a picture has links in it, which nobody who does not see it can reach"
        elif each.name == "img" and each.attributes.get("alt") is None:
            yield "an image has no alternative"
        elif each.name == "input" and not (label or each.is_in("label")):
            yield "an input has no label"
        elif each.name in ("nav", "section") and not label:
            yield f"a {each.name} has no label"
        elif each.name in ("a", "summary") and not (label or each.words.strip()):
            yield f"a {each.name} has no words"


def _of_tables(top: Node) -> Iterator[str]:
    for table in top.all("table"):
        heads = list(table.all("th"))
        if not heads:
            yield f"a table has no heads: {table.words[:40]}"
        for each in heads:
            if each.attributes.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
                yield f"a head has no scope: {each.words}"


def requests(html: str) -> list[str]:
    """Return what a browser would ask others for, to show a document."""
    top = read(html)
    asked = [
        f"<{each.name} {name}={value}>"
        for each in top.all()
        for name, value in each.attributes.items()
        if name in ("src", "srcset", "poster", "action", "data", "background")
        and not re.match(r"data:image/(png|jpeg|webp|gif|svg\+xml);base64,", value or "")
    ]
    asked += [f"<{each.name}>" for each in top.all("link", "iframe", "object", "embed", "base")]
    styles = "".join(each.words for each in top.all("style"))
    asked += re.findall(r"@import[^;]*", styles)
    asked += [each for each in re.findall(r"url\(([^)]*)\)", styles) if not each.startswith("#")]
    return asked
