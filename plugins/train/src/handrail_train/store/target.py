"""What people write for a store, taken apart."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from handrail_train.errors import StorageError

SCHEMES = {"s3": "bucket", "gs": "bucket", "az": "container", "memory": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A place for models.

    Attributes:
        scheme: `file`, `s3`, `gs`, `az` or `memory`.
        bucket: Bucket or container; the name of the memory; empty for a folder.
        path: The absolute folder, or the prefix of all keys without slashes at its ends.
        shown: How people write it, without a slash at its end.
    """

    scheme: str
    bucket: str
    path: str
    shown: str


def parse_target(target: str) -> Target:
    """Return the parts of a target.

    Raises:
        StorageError: It makes no sense.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://?", target)
    if found is None:
        if not target.strip():
            raise StorageError("the store is empty", ways_out=("give a folder or a URL",))
        path = os.path.abspath(os.path.expanduser(target))
        return Target(scheme="file", bucket="", path=path, shown=target.rstrip("/") or "/")
    scheme, rest = found[1].lower(), target[found.end() :]
    if scheme not in SCHEMES or not found[0].endswith("//"):
        raise StorageError(
            f"no storage is known as {found[0]}",
            ways_out=("give a folder, or a URL such as s3://bucket/path",),
        )
    bucket, _, path = rest.partition("/")
    if not bucket and SCHEMES[scheme]:
        raise StorageError(
            f"{target} names no {SCHEMES[scheme]}",
            ways_out=(f"write {scheme}://{SCHEMES[scheme].upper()}/PATH",),
        )
    if "@" in bucket:
        raise StorageError(
            "there is a secret in the store, which is shown and recorded",
            ways_out=("give credentials in variables, such as AWS_SECRET_ACCESS_KEY",),
        )
    path = "/".join(part for part in path.split("/") if part)
    shown = f"{scheme}://{bucket}/{path}" if path else f"{scheme}://{bucket}"
    return Target(scheme=scheme, bucket=bucket, path=path, shown=shown)
