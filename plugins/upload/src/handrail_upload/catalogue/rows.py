"""The numbers of rows that were added, changed and removed."""

from __future__ import annotations

from handrail.frozen import frozen


@frozen
class Published:
    """The numbers of data units and files that a run has added, changed, removed or left out.

    A unit is changed when its metadata is, or when a file of it is added or changed. It is removed
    with its last file; and what was removed before is added.
    """

    units_added: int = 0
    units_changed: int = 0
    units_removed: int = 0
    files_added: int = 0
    files_changed: int = 0
    files_removed: int = 0
    files_left_out: int = 0


@frozen
class Removed:
    """The numbers of data units and files of a run that were removed or restored."""

    units_removed: int = 0
    units_restored: int = 0
    files_removed: int = 0
    files_restored: int = 0
