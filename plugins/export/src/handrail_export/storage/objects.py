"""An object storage as the target, through obstore.

Each object carries the mark of the run that made it as user metadata, `handrail-run`; undo deletes
an object only while that mark is on it.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail_export.errors import StorageError
from handrail_export.storage.clients import make_client, told
from handrail_export.storage.place import Place
from handrail_export.storage.target import Owner, Stored, TakenError, Target

if TYPE_CHECKING:
    from obstore import Attributes

MARK = "handrail-run"

_BLOCK = 4 << 20
_PART = 8 << 20  # Files above this size are sent in parts of it.
_MOST_PARTS = 10_000  # Of one object, by S3.
_LARGEST_COPY = 5 << 30  # Bytes that S3 copies in one request.
_PROBE = b"handrail asks whether it may write here\n"


class ObjectTarget(Target):
    """Objects below one prefix of a bucket."""

    keeps_staged = False

    def __init__(self, place: Place, *, retries: int) -> None:
        self.url, self.address = place.shown, place.shown
        self._prefix = f"{place.path}/" if place.path else ""
        self._client = make_client(place, retries=retries)
        # Azure wants identifiers of C#.
        self._mark = MARK.replace("-", "_") if place.scheme == "az" else MARK

    def prepare(self, record: Callable[[str], None]) -> None:
        """Ask for an object: where there is no answer, there is nothing to undo either."""
        self.stat(".handrail-reach")

    def withdraw(self, made: Iterable[str]) -> None:
        """Nothing was made."""

    def probe(self, key: str, mark: str) -> None:
        """Put a small object, look at it, and delete it."""
        self._send(key, _PROBE, mark, "overwrite")
        found = self.stat(key)
        self.delete([key])
        if found is None or found.mark != mark:
            raise StorageError(
                f"{self.url} does not keep user metadata, so what a run has made could not be told "
                "from what others have",
                ways_out=("give another target",),
            )

    def stat(self, key: str) -> Stored | None:
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used

        with told(key, self.url):
            try:
                answer = obstore.get(self._client, self._prefix + key, options={"head": True})
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
        mark = answer.attributes.get(self._mark)
        return Stored(size=answer.meta["size"], mark=mark, version=answer.meta["e_tag"])

    def put(self, key: str, staged: Path, mark: str, replacing: Stored | None = None) -> None:
        from obstore.exceptions import AlreadyExistsError, NotSupportedError  # noqa: PLC0415

        size = staged.stat().st_size
        # Not every server honours a put that must not replace anything, so look as well.
        there = self.stat(key)
        if there is not None and (replacing is None or there.version != replacing.version):
            raise TakenError
        try:
            mode = "overwrite" if replacing is not None or size > _PART else "create"
            self._send(key, staged, mark, mode)
        except NotSupportedError:
            self._send(key, staged, mark, "overwrite")
        except AlreadyExistsError:
            # An attempt before this one may have arrived, without its answer.
            found = self.stat(key)
            if found is None or found.mark != mark:
                raise TakenError from None
        found = self.stat(key)
        if found is None or found.size != size:
            raise StorageError(f"{key}: what arrived at {self.url} is not what was sent")

    def owner(self, key: str, mark: str, known: Sequence[int] | None) -> Owner:
        found = self.stat(key)
        if found is None:
            return "absent"
        return "ours" if found.mark == mark else "foreign"

    def delete(self, keys: Sequence[str]) -> None:
        import obstore  # noqa: PLC0415 - see above

        for start in range(0, len(keys), 1000):
            some = keys[start : start + 1000]
            with told(f"deleting {some[0]}", self.url):
                try:
                    obstore.delete(self._client, [self._prefix + key for key in some])
                except FileNotFoundError:
                    # Some storages say so when an object is not there, and then stop.
                    for key in some:
                        with suppress(FileNotFoundError):
                            obstore.delete(self._client, self._prefix + key)

    def aside_name(self, key: str, run: str) -> str:
        """Return a key below `.handrail/<run>/`."""
        return f".handrail/{run}/aside/{key}"

    def set_aside(self, key: str, name: str) -> None:
        self._copy(key, name)

    def put_back(self, key: str, name: str) -> bool:
        if self.stat(name) is None:
            return False
        self._copy(name, key)
        self.delete([name])
        return True

    def blocks(self, key: str) -> Iterator[bytes]:
        import obstore  # noqa: PLC0415 - see above

        with told(key, self.url):
            for block in obstore.get(self._client, self._prefix + key).stream(_BLOCK):
                yield bytes(block)

    def _send(self, key: str, content: Path | bytes, mark: str, mode: Any) -> None:
        import obstore  # noqa: PLC0415 - see above

        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        smallest = -(-size // _MOST_PARTS)
        with told(key, self.url):
            obstore.put(
                self._client,
                self._prefix + key,
                content,
                attributes=self._attributes(key, mark),
                mode=mode,
                use_multipart=size > _PART,
                chunk_size=max(_PART, -(-smallest // _BLOCK) * _BLOCK),
                max_concurrency=4,
            )

    def _attributes(self, key: str, mark: str) -> Attributes:
        kind, encoding = mimetypes.guess_type(key)
        if encoding is not None:
            kind = f"application/{encoding}"  # Of the file itself, not of what is in it.
        return {"Content-Type": kind or "application/octet-stream", self._mark: mark}

    def _copy(self, key: str, other: str) -> None:
        import obstore  # noqa: PLC0415 - see above

        before = self.stat(key)

        def arrived() -> bool:
            after = self.stat(other)
            return (
                before is not None
                and after is not None
                and (after.size, after.mark) == (before.size, before.mark)
            )

        source, target = self._prefix + key, self._prefix + other
        with told(key, self.url):
            if before is not None and before.size <= _LARGEST_COPY:
                obstore.copy(self._client, source, target)
                if arrived():  # There are servers that say yes, and copy nothing.
                    return
            asyncio.run(self._copy_through_here(source, target))
        if not arrived():
            raise StorageError(f"{key}: it cannot be copied (at {self.url})")

    async def _copy_through_here(self, source: str, target: str) -> None:
        """Copy what the server cannot in one request; nothing of it is kept here."""
        import obstore  # noqa: PLC0415 - see above

        content = await obstore.get_async(self._client, source)
        small = content.meta["size"] <= _PART  # At once, so that it has the same ETag.
        await obstore.put_async(
            self._client,
            target,
            bytes(await content.bytes_async()) if small else content.stream(_PART),
            attributes=content.attributes,
            use_multipart=not small,
            chunk_size=_PART,
            max_concurrency=1,
        )
