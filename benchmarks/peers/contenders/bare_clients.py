# pyright: basic, reportMissingImports=false
"""A client as it comes: `bare_clients.py obstore|boto3|s3fs copy|remove SOURCE TARGET`.

What a script of a few lines does with it: list the target, send what is missing, has another size
or is newer than its object, and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

WORKERS = 8
PART = 8 << 20

Found = Iterator[tuple[str, int, datetime]]
"""The key, the size and the time of each object."""


class Client(Protocol):
    """What the script calls."""

    def listed(self) -> Found:
        """Yield the objects at the target."""
        ...

    def put(self, files: Iterable[tuple[str, str]]) -> None:
        """Send the files, each a path and a key."""
        ...

    def remove(self) -> None:
        """Remove all objects at the target."""
        ...


def bucket_and_prefix(target: str) -> tuple[str, str]:
    """Return the parts of an address of S3."""
    bucket, _, prefix = target.removeprefix("s3://").partition("/")
    return bucket, prefix


class Obstore:
    """A folder or a bucket with obstore."""

    def __init__(self, target: str) -> None:
        import obstore
        from obstore.store import LocalStore, S3Store

        self._obstore = obstore
        self._store: Any
        if target.startswith("s3://"):
            bucket, prefix = bucket_and_prefix(target)
            options: Any = {"allow_http": True, "timeout": "600s"}
            self._store = S3Store(bucket, prefix=prefix, client_options=options)
        else:
            self._store = LocalStore(target, mkdir=True, automatic_cleanup=True)

    def listed(self) -> Found:
        for page in self._obstore.list(self._store, chunk_size=1000):
            for each in page:
                yield each["path"], each["size"], each["last_modified"]

    def put(self, files: Iterable[tuple[str, str]]) -> None:
        def put(file: tuple[str, str]) -> None:
            path, key = file
            self._obstore.put(self._store, key, Path(path), chunk_size=PART, max_concurrency=1)

        in_threads(put, files)

    def remove(self) -> None:
        self._obstore.delete(self._store, [key for key, _, _ in self.listed()])


class Boto3:
    """A bucket with boto3."""

    def __init__(self, target: str) -> None:
        import boto3
        from boto3.s3.transfer import TransferConfig

        self._bucket, self._prefix = bucket_and_prefix(target)
        self._client = boto3.client("s3")
        self._config = TransferConfig(
            multipart_threshold=PART, multipart_chunksize=PART, use_threads=False
        )

    def _pages(self) -> Iterator[list[Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}/"):
            yield page.get("Contents", [])

    def listed(self) -> Found:
        for page in self._pages():
            for each in page:
                key = each["Key"].removeprefix(f"{self._prefix}/")
                yield key, each["Size"], each["LastModified"]

    def put(self, files: Iterable[tuple[str, str]]) -> None:
        def put(file: tuple[str, str]) -> None:
            path, key = file
            self._client.upload_file(
                path, self._bucket, f"{self._prefix}/{key}", Config=self._config
            )

        in_threads(put, files)

    def remove(self) -> None:
        for page in self._pages():
            if page:
                keys: Any = {"Objects": [{"Key": each["Key"]} for each in page], "Quiet": True}
                self._client.delete_objects(Bucket=self._bucket, Delete=keys)


class S3fs:
    """A bucket with s3fs, which sends as many files at a time as it does by itself."""

    def __init__(self, target: str) -> None:
        import s3fs

        self._target = target.removeprefix("s3://")
        self._system = s3fs.S3FileSystem(max_concurrency=1)

    def listed(self) -> Found:
        for key, each in self._system.find(self._target, detail=True).items():
            yield key.removeprefix(f"{self._target}/"), each["size"], each["LastModified"]

    def put(self, files: Iterable[tuple[str, str]]) -> None:
        both = list(files)
        keys = [f"{self._target}/{key}" for _, key in both]
        if both:
            self._system.put([path for path, _ in both], keys)

    def remove(self) -> None:
        self._system.rm(self._target, recursive=True)


def in_threads(put: Any, files: Iterable[tuple[str, str]]) -> None:
    """Send that many files at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(put, files):
            pass


def changed(source: str, client: Client) -> Iterator[tuple[str, str]]:
    """Yield what has to be sent."""
    there = {key: (size, at.timestamp()) for key, size, at in client.listed()}
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            key, found = os.path.relpath(path, source), os.stat(path)
            size, at = there.get(key, (-1, 0.0))
            if size != found.st_size or at < found.st_mtime:
                yield path, key


CLIENTS: dict[str, Callable[[str], Client]] = {"obstore": Obstore, "boto3": Boto3, "s3fs": S3fs}


def main() -> None:
    """Do it."""
    name, work, source, target = sys.argv[1:]
    client = CLIENTS[name](target)
    if work == "remove":
        client.remove()
    else:
        client.put(changed(source, client))


if __name__ == "__main__":
    main()
