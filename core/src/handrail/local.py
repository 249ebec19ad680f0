# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""Code in the files of a project, which is imported where its owner is trusted.

For packs that look something up in the `[local]` tables of a project, and for what runs its code in
other processes. Names are imported from here on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.builtin.project.configuration import local_objects as local_objects
    from handrail.builtin.project.local import LocalObject as LocalObject
    from handrail.builtin.project.local import import_file as import_file
    from handrail.builtin.project.local import is_searched as is_searched
    from handrail.builtin.project.local import search as search
