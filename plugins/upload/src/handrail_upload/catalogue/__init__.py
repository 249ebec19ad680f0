"""The catalogue: a relational register of uploaded collections, data units and data files.

It is an SQLite file or a PostgreSQL database, and other tools read it with SQL; the guaranteed
schema is in `handrail_upload.catalogue.schema`. Params are checked with `address` alone.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_upload.catalogue.register import Catalogue as Catalogue
    from handrail_upload.catalogue.register import open_catalogue as open_catalogue
    from handrail_upload.catalogue.rows import Published as Published
    from handrail_upload.catalogue.rows import Removed as Removed
