"""What people write for a place of files, taken apart."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote

from handrail_export.errors import StorageError

_BUCKET = {"s3": "bucket", "gs": "bucket", "az": "container"}
SCHEMES = ("file", "s3", "gs", "az", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file, a folder, or the same in an object storage.

    Attributes:
        scheme: `file`, `s3`, `gs`, `az` or `memory`.
        bucket: Bucket or container; the name of the memory; empty for a folder.
        path: The absolute path, or the key without slashes at its ends.
        shown: How people write it, without a slash at its end.
        folder: Whether it was written as a folder, with a slash at its end.
    """

    scheme: str
    bucket: str
    path: str
    shown: str
    folder: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def address(self) -> str:
        """The place, as it is opened from any working folder."""
        return self.path if self.scheme == "file" else self.shown

    def parent(self) -> Place:
        """Return the folder that holds it."""
        above, _, name = self.path.rpartition("/")
        shown = self.shown.removesuffix(name).rstrip("/")
        if self.scheme == "file":
            shown = shown or ("/" if self.shown.startswith("/") else ".")
            return Place(scheme="file", bucket="", path=above or "/", shown=shown)
        return Place(scheme=self.scheme, bucket=self.bucket, path=above, shown=shown)


def parse_place(text: str) -> Place:
    """Return the parts of a place.

    Raises:
        StorageError: It makes no sense.
    """
    if not text.strip():
        raise StorageError(
            "it is empty", ways_out=("give a file, a folder, or a URL such as s3://bucket/path",)
        )
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if found is None:
        path = os.path.abspath(os.path.expanduser(text))
        return Place(
            scheme="file",
            bucket="",
            path=path,
            shown=text.rstrip("/") or "/",
            folder=text.endswith("/"),
        )
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme == "file":
        path = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
        if not path.startswith("/"):
            raise StorageError(f"{text} names a file of another machine; write file:///PATH")
        return Place(
            scheme="file",
            bucket="",
            path=os.path.abspath(path),
            shown=path.rstrip("/") or "/",
            folder=path.endswith("/"),
        )
    if scheme not in SCHEMES:
        raise StorageError(
            f"no storage is known as {scheme}://; there are a local folder, s3://, gs://, az:// "
            "and memory://"
        )
    return _bucket(scheme, rest, text)


def _bucket(scheme: str, rest: str, text: str) -> Place:
    bucket, _, path = rest.partition("/")
    if not bucket and scheme in _BUCKET:
        raise StorageError(
            f"{text} names no {_BUCKET[scheme]}; write {scheme}://{_BUCKET[scheme].upper()}/PATH"
        )
    parts = [part for part in path.split("/") if part]
    if "." in parts or ".." in parts:
        raise StorageError(f"{text}: '.' and '..' have no meaning in an object storage")
    key = "/".join(parts)
    shown = f"{scheme}://{bucket}/{key}" if key else f"{scheme}://{bucket}"
    return Place(
        scheme=scheme, bucket=bucket, path=key, shown=shown, folder=not key or path.endswith("/")
    )
