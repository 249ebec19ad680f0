"""The catalogue: a relational register of uploaded collections, data units and data files.

It is an SQLite file or a PostgreSQL database, and other tools read it with SQL; the guaranteed
schema is in `handrail_upload.catalogue.schema`.
"""

from __future__ import annotations

from handrail_upload.catalogue.register import Catalogue, open_catalogue
from handrail_upload.catalogue.rows import CatalogueFile, CatalogueUnit, Published, Removed

__all__ = [
    "Catalogue",
    "CatalogueFile",
    "CatalogueUnit",
    "Published",
    "Removed",
    "open_catalogue",
]
