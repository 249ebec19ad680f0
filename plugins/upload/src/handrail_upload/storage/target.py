"""What people write for a target, taken apart."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote

from handrail_upload.errors import StorageError
from handrail_upload.names import RUN, beside

_KEPT_FILES = re.compile(
    rf"(?:.*/)?(?:[^/]+\.(?:tmp|new|half|aside)-{RUN}|\.handrail-probe-{RUN}(?:\.link)?)", re.DOTALL
)
_KEPT_OBJECTS = re.compile(rf"\.handrail/{RUN}/.*|\.handrail-probe-{RUN}", re.DOTALL)
_BUCKET = {"s3": "bucket", "gs": "bucket", "az": "container"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target.

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

    @property
    def address(self) -> str:
        """The target, as it is opened from any working folder."""
        return self.path if self.scheme == "file" else self.shown

    def aside_name(self, key: str, run: str) -> str:
        """Return the key under which `run` keeps what it replaces under `key`."""
        if self.scheme == "file":
            return beside(key, f".aside-{run}")
        return f".handrail/{run}/aside/{key}"

    def keeps(self, key: str) -> bool:
        """Return whether a key is one of those that runs use for the time being."""
        kept = _KEPT_FILES if self.scheme == "file" else _KEPT_OBJECTS
        return kept.fullmatch(key) is not None


def parse_target(target: str) -> Target:
    """Return the parts of a target.

    Raises:
        StorageError: It makes no sense.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", target)
    if found is None:
        slashes = re.match(r"(?i)(s3|gs|az|memory|file):/?(?!/)", target)
        if slashes is not None:
            root = "/" if slashes[1].lower() == "file" else ""
            url = f"{slashes[1]}://{root}{target[slashes.end() :]}"
            raise StorageError(
                f"{target} is no URL, since it has no two slashes",
                ways_out=(f"write {url}", f"a folder of that name is ./{target}"),
            )
        return _folder(os.path.expanduser(target), target)
    scheme, rest = found[1].lower(), target[found.end() :]
    if scheme == "file":
        path = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
        if path and not path.startswith("/"):
            raise StorageError(
                f"{target} names a file of another machine", ways_out=("write file:///PATH",)
            )
        return _folder(path, path)
    if scheme not in (*_BUCKET, "memory"):
        raise StorageError(f"no storage is known as {scheme}://")
    bucket, _, path = rest.partition("/")
    if not bucket and scheme in _BUCKET:
        raise StorageError(
            f"{target} names no {_BUCKET[scheme]}",
            ways_out=(f"write {scheme}://{_BUCKET[scheme].upper()}/PATH",),
        )
    parts = [part for part in path.split("/") if part]
    if "." in parts or ".." in parts:
        raise StorageError(f"{target}: '.' and '..' have no meaning in an object storage")
    path = "/".join(parts)
    shown = f"{scheme}://{bucket}/{path}" if path else f"{scheme}://{bucket}"
    return Target(scheme=scheme, bucket=bucket, path=path, shown=shown)


def _folder(path: str, shown: str) -> Target:
    if not path:
        raise StorageError("the target is empty", ways_out=("give a folder or a URL",))
    return Target(
        scheme="file", bucket="", path=os.path.abspath(path), shown=shown.rstrip("/") or "/"
    )
