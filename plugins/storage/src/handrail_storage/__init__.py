"""handrail-storage: folders and object storages for steps that can be undone.

Every public name is imported from here on first use; the client of object storages only when one
is opened.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

__version__ = "0.1.0"

with lazy_imports(__name__):
    from handrail_storage.access import Reader as Reader
    from handrail_storage.access import open_store as open_store
    from handrail_storage.caller import Caller as Caller
    from handrail_storage.context import StorageContext as StorageContext
    from handrail_storage.duration import Duration as Duration
    from handrail_storage.errors import ContainmentError as ContainmentError
    from handrail_storage.errors import PassingError as PassingError
    from handrail_storage.errors import StorageError as StorageError
    from handrail_storage.errors import TakenError as TakenError
    from handrail_storage.errors import first_of as first_of
    from handrail_storage.keeping import KeepReplaced as KeepReplaced
    from handrail_storage.paging import pages as pages
    from handrail_storage.places import Place as Place
    from handrail_storage.places import parse_place as parse_place
    from handrail_storage.retries import retrying as retrying
    from handrail_storage.site import Site as Site
    from handrail_storage.site import relative_path as relative_path
    from handrail_storage.size import Size as Size
    from handrail_storage.store import Store as Store
    from handrail_storage.stored import Capabilities as Capabilities
    from handrail_storage.stored import Listed as Listed
    from handrail_storage.stored import Stored as Stored
    from handrail_storage.stored import versions_of as versions_of
    from handrail_storage.texts import count_text as count_text
    from handrail_storage.texts import one_line as one_line
    from handrail_storage.texts import size_text as size_text
