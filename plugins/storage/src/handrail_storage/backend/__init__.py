"""The stores of this library, and their parts, for custom stores.

Every name is imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail_storage.backend.clients import make_client as make_client
    from handrail_storage.backend.disk import FOLDER as FOLDER
    from handrail_storage.backend.disk import beside as beside
    from handrail_storage.backend.disk import disk_error as disk_error
    from handrail_storage.backend.disk import flush_file as flush_file
    from handrail_storage.backend.disk import flush_folder as flush_folder
    from handrail_storage.backend.disk import identity_of as identity_of
    from handrail_storage.backend.disk import write_whole as write_whole
    from handrail_storage.backend.faults import storage_error as storage_error
    from handrail_storage.backend.local import LocalStore as LocalStore
    from handrail_storage.backend.names import create_nameless as create_nameless
    from handrail_storage.backend.names import run_of as run_of
    from handrail_storage.backend.names import temporary_of as temporary_of
    from handrail_storage.backend.objects import ObjectStore as ObjectStore
    from handrail_storage.backend.putting import must_be_free as must_be_free
    from handrail_storage.backend.putting import put_unless_taken as put_unless_taken
    from handrail_storage.backend.requests import MARK as MARK
    from handrail_storage.backend.requests import PART_SIZE as PART_SIZE
    from handrail_storage.backend.requests import SHA256 as SHA256
    from handrail_storage.backend.requests import Requests as Requests
    from handrail_storage.backend.requests import bare as bare
    from handrail_storage.backend.small import SmallLocalFiles as SmallLocalFiles
