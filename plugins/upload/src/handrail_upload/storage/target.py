"""The target of an upload: a folder or an object storage, with the errors of this pack."""

from __future__ import annotations

import re

from handrail_storage import Caller, Place, parse_place
from handrail_storage.backend import beside
from handrail_storage.manifests import RUN
from handrail_upload.errors import StorageError

CALLER = Caller(
    error=StorageError,
    noun="target",
    user="the user who uploads",
    distribution="handrail-upload",
)

_KEPT_FILES = re.compile(
    rf"(?:.*/)?(?:[^/]+\.(?:tmp|new|half|aside)-{RUN}|\.handrail-probe-{RUN}(?:\.link)?)", re.DOTALL
)
_KEPT_OBJECTS = re.compile(rf"\.handrail/{RUN}/.*|\.handrail-probe-{RUN}", re.DOTALL)


def parse_target(target: str) -> Place:
    """Parse a target.

    Raises:
        StorageError: The target is malformed.
    """
    return parse_place(target, CALLER)


def aside_name(target: Place, key: str, run: str) -> str:
    """Return the key under which a run keeps a replaced object."""
    return beside(key, f".aside-{run}") if target.local else f".handrail/{run}/aside/{key}"


def is_kept(target: Place, key: str) -> bool:
    """Return whether a key is one of those that runs use for the time being."""
    return (_KEPT_FILES if target.local else _KEPT_OBJECTS).fullmatch(key) is not None
