"""Templates of reports and pages: whatever is not markup is escaped, wherever it comes from.

A value in a template is text: secrets in it are masked, and characters that control something or
turn the direction of text are spelled out, as in a terminal. An address passes the filter `address`
or `picture`, or it is none. Each template has the macros of `macros.html`, without importing them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from handrail.amounts import percent, plural, seconds, size
from handrail.redact import KNOWN, shown_text
from handrail_report.shown import (
    counted,
    exception,
    json_text,
    look_of,
    origin_text,
    owner_text,
    short_number,
    took_text,
)

# Within the page, to another page of the same server, or to a web site.
_LINK = re.compile(r"#|\?|/(?!/)|\./|https?://")
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/]*=*$")


class Templates:
    """The templates of a package, in its folder `templates`, and beside them those of reports.

    Args:
        package: The package.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def render(self, template: str, **values: object) -> Markup:
        """Return what a template makes of values."""
        return Markup(self._environment.get_template(template).render(values))

    def sections(self, template: str, **values: object) -> dict[str, Markup]:
        """Return what each block of a template makes of values, in order; without empty ones."""
        found = self._environment.get_template(template)
        context = found.new_context(values)
        drawn = {name: "".join(block(context)) for name, block in found.blocks.items()}
        return {name: Markup(html) for name, html in drawn.items() if html.strip()}

    @cached_property
    def _environment(self) -> Environment:
        made = Environment(
            loader=ChoiceLoader(
                [PackageLoader(each) for each in (self._package, "handrail_report")]
            ),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Unindented],
        )
        made.filters |= _FILTERS
        macros = made.get_template("macros.html").module
        made.globals.update(vars(macros))
        return made


class _Unindented(Extension):
    """Takes the indentation out of templates: it would be a third of a document."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source of a template."""
        return re.sub(r"^[ \t]+", "", source, flags=re.MULTILINE)


def _shown(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    text = KNOWN(str(value))
    # True for most texts, and ten times as fast.
    return text if text.isprintable() else shown_text(text)


def _address(value: object) -> str:
    """Return an address that leads to a web site, or to a place in the same page or server.

    Raises:
        ValueError: It leads elsewhere, or could run code.
    """
    return _fitting(_LINK, value)


def _picture(value: object) -> str:
    return _fitting(_PICTURE, value)


def _fitting(pattern: re.Pattern[str], value: object) -> str:
    # A masked address would lead elsewhere, and is none that anybody could follow.
    text = shown_text(value, one_line=True)
    if not pattern.match(text):
        raise ValueError(f"this does not lead to a page or a picture: {text[:80]!r}")
    return text


def _as_file(text: str, media: str) -> str:
    """Return an address that has a whole text in it, to be saved as a file."""
    content = quote(KNOWN(text), safe="/,", errors="backslashreplace")
    return f"data:{media};charset=utf-8,{content}"


def _moment(text: str) -> str:
    """Return a time of a journal for people, in UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _count(value: float) -> str:
    return f"{value:,}"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "address": _address,
    "picture": _picture,
    "as_file": _as_file,
    "moment": _moment,
    "count": _count,
    "look": look_of,
    "counted": counted,
    "exception": exception,
    "json_text": json_text,
    "origin": origin_text,
    "owner": owner_text,
    "percent": percent,
    "plural": plural,
    "seconds": seconds,
    "short": short_number,
    "size": size,
    "took": took_text,
}


@cache
def report_templates() -> Templates:
    """Return the templates of reports."""
    return Templates("handrail_report")


def render(template: str, **values: object) -> Markup:
    """Return what a template of reports makes of values."""
    return report_templates().render(template, **values)
