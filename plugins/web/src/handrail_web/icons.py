"""The icons that browsers show in tabs: one for each kind of state, by shape and by colour."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.frozen import frozen
from handrail_report import Markup, element


@frozen
class Icon:
    """An icon.

    Attributes:
        name: Its name.
        glyph: What it shows.
        colour: Its ground.
    """

    name: str
    glyph: str
    colour: str


_ICONS = (
    Icon(name="handrail", glyph="H", colour="#3d4651"),
    Icon(name="good", glyph="✓", colour="#0f6b33"),
    Icon(name="bad", glyph="✗", colour="#b3261e"),
    Icon(name="warn", glyph="!", colour="#8a5500"),
    Icon(name="busy", glyph="▸", colour="#0b4fb3"),
    Icon(name="undo", glyph="↶", colour="#5b2fa8"),
)
ICONS: Mapping[str, Icon] = {each.name: each for each in _ICONS}
_STATES: Mapping[str, str] = {
    "completed": "good",
    "rolled back": "undo",
    "rollback incomplete": "bad",
    "failed (kept)": "bad",
    "interrupted": "warn",
    "running": "busy",
    "stalled": "warn",
    "damaged": "bad",
}


def icon_of(state: str) -> Icon:
    """Return the icon of a run in this state."""
    return ICONS[_STATES.get(state, "handrail")]


def picture(icon: Icon) -> Markup:
    """Return an icon as SVG."""
    glyph = element(
        "text",
        icon.glyph,
        x=16,
        y=24,
        fill="#ffffff",
        font_size=22,
        font_weight="bold",
        font_family="sans-serif",
        text_anchor="middle",
    )
    ground = element("rect", width=32, height=32, rx=7, fill=icon.colour)
    namespace = "http://www.w3.org/2000/svg"
    return element("svg", ground, glyph, xmlns=namespace, viewBox="0 0 32 32")
