"""HTML from values, for reports and pages: for packs that show runs.

Everything that is not `Markup` is escaped, wherever it comes from. Names are imported from here on
first use.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail.html.document import page as page
    from handrail.html.document import stylesheet as stylesheet
    from handrail.html.elements import Content as Content
    from handrail.html.elements import Markup as Markup
    from handrail.html.elements import element as element
    from handrail.html.elements import joined as joined
    from handrail.html.states import badge as badge

__all__ = ["Content", "Markup", "badge", "element", "joined", "page", "stylesheet"]

_HOMES = {
    "document": ("page", "stylesheet"),
    "elements": ("Content", "Markup", "element", "joined"),
    "states": ("badge",),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
