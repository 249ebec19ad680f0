"""Storages of files: a local folder, S3, Google Cloud Storage, Azure, or memory.

Params are checked with `target` alone.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_storage import Capabilities as Capabilities
    from handrail_storage import Listed as Listed
    from handrail_storage import Stored as Stored
    from handrail_storage import TakenError as TakenError
    from handrail_upload.storage.local import LocalStorage as LocalStorage
    from handrail_upload.storage.opening import open_storage as open_storage
    from handrail_upload.storage.sending import Sending as Sending
    from handrail_upload.storage.storage import Storage as Storage
    from handrail_upload.storage.target import CALLER as CALLER
    from handrail_upload.storage.target import parse_target as parse_target
