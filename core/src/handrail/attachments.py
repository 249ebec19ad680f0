# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""Plots, tables, texts and pictures that a step attaches to its run, for people to see.

`context.attach("curves", Plot("line", {"loss": [0.9, 0.4, 0.2]}))` keeps one in the journal, where
`handrail show`, reports and pages find it. Each is small and has a JSON form; none has code. Packs
may attach values of classes of their own. Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.builtin.attachments import Markdown as Markdown
    from handrail.builtin.attachments import Picture as Picture
    from handrail.builtin.attachments import Plot as Plot
    from handrail.builtin.attachments import Table as Table
    from handrail.builtin.attachments import attachment_from as attachment_from
    from handrail.context import Attachable as Attachable
