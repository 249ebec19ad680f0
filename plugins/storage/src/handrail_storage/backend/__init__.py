"""The stores of this library, and their parts, for custom stores.

Every name is imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_storage.backend.clients import make_client as make_client
    from handrail_storage.backend.disk import FOLDER as FOLDER
    from handrail_storage.backend.disk import beside as beside
    from handrail_storage.backend.disk import disk_error as disk_error
    from handrail_storage.backend.disk import flush_file as flush_file
    from handrail_storage.backend.disk import flush_folder as flush_folder
    from handrail_storage.backend.disk import identity_of as identity_of
    from handrail_storage.backend.disk import write_lasting as write_lasting
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
else:
    __getattr__, __dir__, __all__ = lazy_names(
        __name__,
        {
            ".clients": "make_client",
            ".disk": (
                "FOLDER beside disk_error flush_file flush_folder identity_of write_lasting "
                "write_whole"
            ),
            ".faults": "storage_error",
            ".local": "LocalStore",
            ".names": "create_nameless run_of temporary_of",
            ".objects": "ObjectStore",
            ".putting": "must_be_free put_unless_taken",
            ".requests": "MARK PART_SIZE SHA256 Requests bare",
            ".small": "SmallLocalFiles",
        },
    )
