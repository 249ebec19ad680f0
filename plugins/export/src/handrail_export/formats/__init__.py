"""Formats of exports: for rows, and for collections of pictures."""

from __future__ import annotations

from handrail_export.formats.format import CollectionFormat, Format, Picture, RowFormat, Shape
from handrail_export.formats.registry import Offer, find_format, offers

__all__ = [
    "CollectionFormat",
    "Format",
    "Offer",
    "Picture",
    "RowFormat",
    "Shape",
    "find_format",
    "offers",
]
