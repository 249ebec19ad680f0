"""The target of an upload: a folder or an object storage, with the errors of this pack."""

from __future__ import annotations

import os
import re

from handrail.frozen import replace
from handrail_storage import Caller, Place, parse_place
from handrail_storage.backend import FOLDER
from handrail_storage.manifests import RUN
from handrail_upload.errors import StorageError
from handrail_upload.names import readable

CALLER = Caller(
    error=StorageError,
    noun="target",
    user="the user who uploads",
    distribution="handrail-upload",
)

# Also in folders: a folder that was a target itself may be uploaded with all that is above it.
_KEPT = rf"(?:.*/)?(?:{re.escape(FOLDER)}(?:/.*)?|\.handrail-probe-{RUN}(?:\.link)?)"
_KEPT_BESIDE = rf".*[^/]\.handrail-tmp-(?:{RUN}|copy)(?:\.second)?"


def parse_target(target: str) -> Place:
    """Parse a target.

    Raises:
        StorageError: The target is malformed.
    """
    return parse_place(target, CALLER)


def real_place(place: Place) -> Place:
    """Return a place without the links in the path of a folder."""
    return replace(place, path=os.path.realpath(place.path)) if place.local else place


def target_name(target: str) -> str:
    """Return how a target names its collection: `s3://bucket/path`, `/srv/store`, `store`."""
    from handrail_storage import relative_path  # noqa: PLC0415 - it comes with the stores

    place = parse_target(target)
    if place.local:
        return readable(os.path.normpath(relative_path(target) or place.path))
    return readable(place.shown)


def is_kept(target: Place, key: str) -> bool:
    """Return whether a key is one of those that Handrail uses itself."""
    patterns = (_KEPT, _KEPT_BESIDE) if target.local else (_KEPT,)
    return any(re.fullmatch(each, key, re.DOTALL) for each in patterns)
