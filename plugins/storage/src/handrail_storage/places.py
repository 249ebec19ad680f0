"""Parses places of files: paths and URLs."""

from __future__ import annotations

import os
import re
from dataclasses import field
from urllib.parse import unquote

from handrail.frozen import frozen
from handrail_storage.caller import ANYBODY, Caller

_BUCKET = {"s3": "bucket", "gs": "bucket", "az": "container"}
_KNOWN = "there are a local folder, s3://, gs://, az:// and memory://"


@frozen
class Place:
    """A file or a folder on this machine, or in an object storage.

    Attributes:
        scheme: `file`, `s3`, `gs`, `az` or `memory`.
        bucket: Bucket or container; the name of the memory; empty for a folder.
        path: The absolute path, or the key without slashes at its ends.
        shown: Its text for people, without a slash at its end.
        folder: Whether it was written as a folder, with a slash at its end; not compared.
    """

    scheme: str
    bucket: str
    path: str
    shown: str
    folder: bool = field(default=False, compare=False)

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.scheme == "file"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def address(self) -> str:
        """The place, independent of the working folder."""
        return self.path if self.local else self.shown

    def parent(self) -> Place:
        """Return the folder that contains it."""
        above, _, name = self.path.rpartition("/")
        shown = self.shown.removesuffix(name).rstrip("/")
        if self.local:
            shown = shown or ("/" if self.shown.startswith("/") else ".")
            above = above or "/"
        return Place(scheme=self.scheme, bucket=self.bucket, path=above, shown=shown)

    def is_same(self, other: Place) -> bool:
        """Return whether both are one place, however they are written."""
        return (self.scheme, self.bucket, self.path) == (other.scheme, other.bucket, other.path)


def parse_place(text: str, caller: Caller = ANYBODY) -> Place:
    """Parse a place.

    Args:
        text: A path, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        caller: The pack, for the class and the words of errors.

    Raises:
        StorageError: The text is empty, names no storage, or contains a secret.
    """
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if found is None:
        _refuse_missing_slashes(text, caller)
        return _local(os.path.expanduser(text), text, caller)
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme == "file":
        path = unquote(rest.removeprefix("localhost") if rest.startswith("localhost/") else rest)
        if path and not path.startswith("/"):
            raise caller.error(
                f"{text} names a file of another machine", ways_out=("write file:///PATH",)
            )
        return _local(path, path, caller)
    if scheme not in (*_BUCKET, "memory"):
        raise caller.error(f"no storage is known as {scheme}://", ways_out=(_KNOWN,))
    return _in_bucket(scheme, rest, text, caller)


def _refuse_missing_slashes(text: str, caller: Caller) -> None:
    found = re.match(r"(?i)(s3|gs|az|memory|file):/?(?!/)", text)
    if found is not None:
        root = "/" if found[1].lower() == "file" else ""
        raise caller.error(
            f"{text} is no URL, since it has no two slashes",
            ways_out=(
                f"write {found[1]}://{root}{text[found.end() :]}",
                f"a folder of that name is ./{text}",
            ),
        )


def _local(path: str, shown: str, caller: Caller) -> Place:
    if not path.strip():
        raise caller.error(
            f"the {caller.noun} is empty",
            ways_out=("give a folder, or a URL such as s3://bucket/path",),
        )
    return Place(
        scheme="file",
        bucket="",
        path=os.path.abspath(path),
        shown=shown.rstrip("/") or "/",
        folder=shown.endswith("/"),
    )


def _in_bucket(scheme: str, rest: str, text: str, caller: Caller) -> Place:
    bucket, _, path = rest.partition("/")
    if not bucket and scheme in _BUCKET:
        raise caller.error(
            f"{text} names no {_BUCKET[scheme]}",
            ways_out=(f"write {scheme}://{_BUCKET[scheme].upper()}/PATH",),
        )
    if "@" in bucket:
        raise caller.error(
            f"there is a secret in the {caller.noun}, which is shown and recorded",
            ways_out=("give credentials in variables, such as AWS_SECRET_ACCESS_KEY",),
        )
    parts = [part for part in path.split("/") if part]
    if "." in parts or ".." in parts:
        raise caller.error(f"{text}: '.' and '..' have no meaning in an object storage")
    key = "/".join(parts)
    return Place(
        scheme=scheme,
        bucket=bucket,
        path=key,
        shown=f"{scheme}://{bucket}/{key}" if key else f"{scheme}://{bucket}",
        folder=not key or path.endswith("/"),
    )
