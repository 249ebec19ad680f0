"""How values are shown: by views, which core and packs offer under a name such as `html`.

    [project.entry-points."handrail.views"]
    html = "acme_pages.views:html"

A pack is imported when a value is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail.packs.entry_points import import_target
from handrail.packs.installed import installed_packs
from handrail.packs.record import core_record

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks

View = Callable[[object], str | None]
"""Returns a value as a text, or None for a value that it does not show."""


def shown_as(value: object, name: str, packs: InstalledPacks | None = None) -> str | None:
    """Return a value as a view shows it; None if nobody shows such values so.

    Notebooks ask for `html`, and `handrail plan --mermaid` for `mermaid`. If several packs have a
    view of that name, the first that shows the value does: core's, then by the names of the packs.

    Args:
        value: The value: a `Plan`, a `StepResult`, a `RunRecord`, or one of a pack's own.
        name: The name of the view.
        packs: The installed packs; by default, those of the project in the working folder.

    Raises:
        PackError: A view cannot be imported.
    """
    for record in (core_record(), *(packs or installed_packs()).records):
        for entry in record.offered("views") if record.is_used else ():
            if entry.name == name:
                view: View = import_target(record, entry)
                if (shown := view(value)) is not None:
                    return shown
    return None
