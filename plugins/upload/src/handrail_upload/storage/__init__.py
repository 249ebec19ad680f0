"""Storages of files: a local folder, S3, Google Cloud Storage, Azure, or memory.

Params are checked with `target` alone.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
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

__all__ = [
    "CALLER",
    "Capabilities",
    "Listed",
    "LocalStorage",
    "Sending",
    "Storage",
    "Stored",
    "TakenError",
    "open_storage",
    "parse_target",
]

_HOMES = {
    "handrail_storage": ("Capabilities", "Listed", "Stored", "TakenError"),
    "handrail_upload.storage.local": ("LocalStorage",),
    "handrail_upload.storage.opening": ("open_storage",),
    "handrail_upload.storage.sending": ("Sending",),
    "handrail_upload.storage.storage": ("Storage",),
    "handrail_upload.storage.target": ("CALLER", "parse_target"),
}


if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(home), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
