"""The catalogue: a relational register of uploaded collections, data units and data files.

It is an SQLite file or a PostgreSQL database, and other tools read it with SQL; the guaranteed
schema is in `handrail_upload.catalogue.schema`. Params are checked with `address` alone.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_upload.catalogue.register import Catalogue as Catalogue
    from handrail_upload.catalogue.register import open_catalogue as open_catalogue
    from handrail_upload.catalogue.rows import CatalogueFile as CatalogueFile
    from handrail_upload.catalogue.rows import CatalogueUnit as CatalogueUnit
    from handrail_upload.catalogue.rows import Published as Published
    from handrail_upload.catalogue.rows import Removed as Removed

__all__ = [
    "Catalogue",
    "CatalogueFile",
    "CatalogueUnit",
    "Published",
    "Removed",
    "open_catalogue",
]

_HOMES = {
    "register": ("Catalogue", "open_catalogue"),
    "rows": ("CatalogueFile", "CatalogueUnit", "Published", "Removed"),
}


if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
