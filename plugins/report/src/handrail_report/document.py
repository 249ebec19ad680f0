"""A whole HTML document, with one stylesheet, one script and a policy that lets in nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from handrail_report.run import run_sections
from handrail_report.runs import compare_sections, sweep_sections
from handrail_report.templates import render

_SHEETS = ("plan_picture.css", "stylesheet.css")
_TITLES = {"sweep": "Runs", "differences": "What differs"}


def page(
    title: str,
    body: Markup,
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
    if stylesheet_at is None and (script_at is not None or icon_at is not None):
        raise ValueError("a document that is complete in itself requests nothing")
    return render(
        "page.html",
        title=title,
        body=body,
        stylesheet_at=stylesheet_at,
        script_at=script_at,
        icon_at=icon_at,
        policy=_policy(),
        stylesheet=Markup(stylesheet()),
        script=Markup(script()),
    )


@cache
def stylesheet() -> str:
    """Return the stylesheet of reports and pages."""
    return "\n".join(map(_file, _SHEETS))


def picture_styles() -> Markup:
    """Return the `style` element for a page that has plan pictures, and no stylesheet of reports.

    What it says holds for plan pictures only.
    """
    looks = _file("plan_picture.css").replace(":root", ".plan-picture")
    return Markup(f"<style>{looks}</style>")


@cache
def script() -> str:
    """Return the script of reports and pages."""
    return _file("report.js")


def _file(name: str) -> str:
    return files("handrail_report").joinpath(name).read_text(encoding="utf-8")


def _policy() -> str:
    return (
        f"default-src 'none'; style-src {_digest(stylesheet())}; script-src {_digest(script())}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    """Return how a policy names a style or a script that a document may have in it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def report(shown: Mapping[str, Any], *, command: str, made: str = "") -> Markup:
    """Return a whole document about what `handrail show` shows.

    Args:
        shown: The JSON object that `handrail show --json` writes, with all that it knows.
        command: The command that shows the same as text.
        made: By what it was made, for the foot, which also says when.
    """
    if "differs" in shown:
        numbers = [str(each["run"]["id"]) for each in shown["runs"]]
        title, sections = f"runs {', '.join(numbers[:8])}", compare_sections(shown)
    else:
        run = shown["run"]
        title = f"run {run['id']} · {run['action']} · {run['state']}"
        sections = sweep_sections(shown) if "sweep" in shown else run_sections(shown)
    outcome, *others = sections.values()
    contents = {name: _TITLES.get(name, name.capitalize()) for name in list(sections)[1:]}
    said = f"{made}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC".removeprefix(", ")
    values = {"outcome": outcome, "others": others, "contents": contents}
    return page(title, render("report.html", **values, said=said, words=command))
