"""The styles of the page: none of its rules hits what reports show in it."""

from __future__ import annotations

import re
from importlib.resources import files

SHARED = {"button", "command", "muted", "scroll"}


def test_names_of_the_page_and_of_reports_do_not_meet() -> None:
    """But for those that are meant for both."""
    sheet = files("handrail_web").joinpath("page.css").read_text("utf-8")
    rules = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    own = set(re.findall(r"\.([a-z][\w-]*)", rules))
    templates = files("handrail_report").joinpath("templates").iterdir()
    sources = [each.read_text("utf-8") for each in templates if each.name.endswith(".html")]
    listed = re.findall(r'class="([^"{]*)', "".join(sources))
    assert own & {name for names in listed for name in names.split()} <= SHARED
