"""The lists of claims: the keys that a run wants, and what it has left under them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from handrail_storage.containment import below
from handrail_storage.stored import Listed, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A key that a run wants.

    Attributes:
        key: The key.
        sha256: SHA-256 of the content that it will have; None if that is not known yet.
    """

    key: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a run has left under a key, whether it made it or found it.

    Attributes:
        key: The key.
        size: Bytes.
        sha256: SHA-256 of the content, if known.
        etag: The storage's identifier of the content, if known.
    """

    key: str
    size: int
    sha256: str | None = None
    etag: str | None = None

    def is_same(self, found: Listed | Held) -> bool | None:
        """Return whether an object has the same content; None if only reading it tells."""
        if self.size != found.size:
            return False
        theirs = found.sha256 if isinstance(found, (Stored, Held)) else None
        if self.sha256 is not None and theirs is not None:
            return self.sha256 == theirs
        if self.etag is not None and self.etag == found.etag:
            return True
        return None


def pack_wanted(wanted: Iterable[Wanted]) -> tuple[str, bytes]:
    """Return the digest of a list of wanted keys, and the content of its file."""
    return _pack([each.key, each.sha256] for each in wanted)


def unpack_wanted(content: bytes) -> Iterator[Wanted]:
    """Yield the wanted keys of a list.

    Raises:
        ValueError: It is no such list.
    """
    for key, sha256 in _unpack(content, 2):
        yield Wanted(key=below(key), sha256=_text(sha256))


def pack_held(held: Iterable[Held]) -> tuple[str, bytes]:
    """Return the digest of a list of held objects, and the content of its file; empty for none."""
    rows = ([each.key, each.size, each.sha256, each.etag] for each in held)
    return _pack(rows)


def unpack_held(content: bytes) -> Iterator[Held]:
    """Yield the held objects of a list.

    Raises:
        ValueError: It is no such list.
    """
    for key, size, sha256, etag in _unpack(content, 4):
        yield Held(key=below(key), size=int(size), sha256=_text(sha256), etag=_text(etag))


def digest_of(content: bytes) -> str:
    """Return the digest that identifies a list; compression does not change it.

    Raises:
        ValueError: It is no list.
    """
    return hashlib.sha256(_lines(content)).hexdigest()


def _pack(rows: Iterable[list[Any]]) -> tuple[str, bytes]:
    lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows]
    if not lines:
        return hashlib.sha256().hexdigest(), b""
    lines.sort()  # So that equal lists are equal, in whatever order their files were found.
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest(), gzip.compress(text, 6, mtime=0)


def _unpack(content: bytes, width: int) -> Iterator[list[Any]]:
    # Not splitlines(), since keys may contain other line separators of Unicode.
    for line in _lines(content).decode("utf-8", "surrogatepass").split("\n")[:-1]:
        row: list[Any] = json.loads(line)
        if len(row) != width:
            raise ValueError("it is no list of keys")
        yield row


def _lines(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise ValueError("it is no gzip file") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)
