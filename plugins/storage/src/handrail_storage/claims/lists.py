"""The lists of claims: the keys that a run wants, and what it has left under them.

A list is written as lines of compact JSON, one for each key, in the order of their code points; so
equal lists are equal, in whatever order their files were found. A list may have millions of lines,
so it is read page by page, each time anew, and compared with another one side by side.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Self

from handrail.frozen import frozen
from handrail_storage.backend.contents import Content, collected
from handrail_storage.containment import below, plainly_below
from handrail_storage.errors import StorageError
from handrail_storage.paging import pages
from handrail_storage.stored import Listed, Stored

Row = Sequence[Any]
"""A line of a list: a key, and what the list says of it."""

PAGE = 1000  # Lines that are read at a time.
NOTHING = -2
"""The size of nothing: what a run has left under a key that it has emptied."""
COPY = "put the file back from a copy of the target, if there is one"
_BLOCK = 1 << 16
_GZIP = 31  # For zlib: with the head and the check sum of gzip.
_LEVEL = 1  # Of compression: more takes three times as long, and saves a thirtieth.
_END = chr(0x10FFFF)  # After every line.
_TEXT: frozenset[type] = frozenset((str, type(None)))
_SIZE: frozenset[type] = frozenset((int,))


@frozen
class Held:
    """What a run has left under a key, whether it made it or found it.

    Attributes:
        key: The key.
        size: Bytes; `NOTHING` where it has deleted what was there.
        sha256: SHA-256 of the content, if known.
        etag: The storage's identifier of the content, if known.
    """

    key: str
    size: int
    sha256: str | None = None
    etag: str | None = None

    @classmethod
    def of(cls, row: Row) -> Held:
        """Return it by its row in a list."""
        key, size, sha256, etag = row
        return cls(key=key, size=size, sha256=sha256, etag=etag)

    @property
    def is_nothing(self) -> bool:
        """Whether the run has deleted what was there, so that it holds the key empty."""
        return self.size == NOTHING

    def is_same(self, found: Listed | Held, digest: Callable[[], str] | None = None) -> bool | None:
        """Return whether an object has the same content; None if that cannot be told.

        Args:
            found: The object.
            digest: Reads it and returns the SHA-256, if it may be read where only that tells.
        """
        if self.size != found.size or self.is_nothing:
            return False
        theirs = found.sha256 if isinstance(found, (Stored, Held)) else None
        if self.sha256 is not None and theirs is not None:
            return self.sha256 == theirs
        if self.etag is not None and self.etag == found.etag:
            return True
        return None if digest is None or self.sha256 is None else self.sha256 == digest()


class Lines:
    """A list in its written form, such as from a database that writes JSON itself.

    Args:
        read: Returns the lines in the order of their code points, without their ends. Called each
            time that the list is read.
        about: The list, for errors.
    """

    _kinds: ClassVar[Sequence[frozenset[type]]] = ()  # Of the values after the key.

    def __init__(self, read: Callable[[], Iterable[str]], about: str = "a list of keys") -> None:
        self._read = read
        self._about = about

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Self:
        """Return the list of rows that are in memory, in any order."""
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        lines = sorted(map(encode, rows))
        return cls(lambda: lines)

    @classmethod
    def unpacked(cls, content: Content, about: str = "a list of keys") -> Self:
        """Return the list in the content of a file."""
        return cls(partial(_lines_in, content), about)

    @property
    def is_empty(self) -> bool:
        """Whether there are no lines."""
        return next(self.pages(), None) is None

    def pages(self) -> Iterator[list[str]]:
        """Yield the lines in pages.

        Raises:
            StorageError: The list is damaged.
        """
        last = ""
        try:
            for page in pages(self._read(), PAGE):
                if page[0] < last or page != sorted(page):
                    raise ValueError("its lines are not in order")
                last = page[-1]
                yield page
        except ValueError as error:
            raise self._damaged(error) from error

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in pages.

        Raises:
            StorageError: The list is damaged, or a key leads out of the target.
        """
        for page in self.pages():
            try:
                rows: list[Row] = json.loads(f"[{','.join(page)}]")
                self._check(rows)
            except ValueError as error:
                raise self._damaged(error) from error
            yield rows

    def _check(self, rows: list[Row]) -> None:
        try:
            keys, *values = zip(*rows, strict=True)
            kinds = [frozenset(map(type, each)) for each in values]
        except (TypeError, ValueError):
            raise ValueError("it is no list of keys") from None
        kinds_fit = map(frozenset[type].issubset, kinds, self._kinds)
        if len(kinds) != len(self._kinds) or not all(kinds_fit):
            raise ValueError("it is no list of keys")
        if set(map(type, keys)) != {str} or not plainly_below(keys):
            for key in keys:
                below(key)

    def packed(self) -> tuple[str, Content]:
        """Return what identifies the list, and the content of its file; empty for no lines."""
        digest, packer = hashlib.sha256(), zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

        def blocks() -> Iterator[bytes]:
            lines = 0
            for page in self.pages():
                text = _text(page)
                digest.update(text)
                yield packer.compress(text)
                lines += len(page)
            if lines:
                yield packer.flush()

        content = collected(blocks())
        return digest.hexdigest(), content

    def _damaged(self, error: ValueError) -> StorageError:
        return StorageError(f"{self._about} is damaged: {error}", ways_out=(COPY,))


class WantedList(Lines):
    """The keys that a run wants, as lines.

    Each is a JSON array of the key, and of the SHA-256 of the content or null; an empty text
    instead says that the run wants nothing there.
    """

    _kinds = (_TEXT,)

    @classmethod
    def of(cls, wanted: Mapping[str, str | None] | WantedList) -> WantedList:
        """Return the list of wanted keys, each with the SHA-256 of its content, if known."""
        return wanted if isinstance(wanted, WantedList) else cls.of_rows(wanted.items())


class HeldList(Lines):
    """What a run has left under its keys, as lines.

    Each is a JSON array of the key, the size in bytes, the SHA-256 or null, and the ETag or null;
    the size is `NOTHING` where the run has deleted what was there.
    """

    _kinds = (_SIZE, _TEXT, _TEXT)

    @classmethod
    def of(cls, held: Iterable[Held] | HeldList) -> HeldList:
        """Return the list of held objects."""
        if isinstance(held, HeldList):
            return held
        return cls.of_rows([(each.key, each.size, each.sha256, each.etag) for each in held])


class Beside:
    """Reads a list beside another one: both are read once, a page at a time.

    Args:
        read: Returns the list, when it is needed.
    """

    def __init__(self, read: Callable[[], Lines]) -> None:
        self._open = read
        self._lines: Lines | None = None
        self._pages: Iterator[list[Row]] = iter(())
        self._page: list[Row] = []
        self._before = self._last = _END  # Where the page before ends, and where this one does.
        self.turn_to(())

    @property
    def lines(self) -> Lines:
        """The list."""
        # No `cached_property`, which lets other threads wait until it is read.
        if self._lines is None:
            self._lines = self._open()
        return self._lines

    def turn_to(self, keys: Sequence[str]) -> None:
        """Turn to a page of the keys of the other list; for an earlier one, this is read anew."""
        self._keys, self._among = keys, frozenset(keys)
        self._found: dict[str, list[Row]] | None = None

    def under(self, key: str) -> Sequence[Row]:
        """Return the rows under a key; it is quick for those of the page that was turned to."""
        if key not in self._among:
            self.turn_to([key])
        return self.page().get(key, ())

    def page(self) -> Mapping[str, Sequence[Row]]:
        """Return the rows under the keys of the page that was turned to, by key."""
        if self._found is None:
            self._found = self._find(self._keys) if self._keys else {}
        return self._found

    def _find(self, keys: Sequence[str]) -> dict[str, list[Row]]:
        if _place(keys[0]) <= self._before:
            self._pages, self._page = self.lines.rows(), []
            self._before = self._last = ""
        last, among, found = _place(keys[-1]), self._among, dict[str, list[Row]]()
        while True:
            for row in [row for row in self._page if row[0] in among]:
                found.setdefault(row[0], []).append(row)
            if self._last > last:
                return found
            self._before = self._last
            self._page = next(self._pages, list[Row]())
            self._last = _place(self._page[-1][0]) if self._page else _END


def digest_of(content: Content) -> str:
    """Return the digest that identifies a list; compression does not change it.

    Raises:
        ValueError: It is no list.
    """
    digest = hashlib.sha256()
    for block in _blocks(content):
        digest.update(block)
    return digest.hexdigest()


def _lines_in(content: Content) -> Iterator[str]:
    return chain.from_iterable(_line_groups(content))


def _line_groups(content: Content) -> Iterator[list[str]]:
    rest = b""
    for block in _blocks(content):
        text, end, begun = block.rpartition(b"\n")
        if end:
            # Not splitlines(), since keys may contain other line separators of Unicode.
            yield (rest + text).decode("utf-8", "surrogatepass").split("\n")
            rest = begun
        else:
            rest += begun
    if rest:
        raise ValueError("its last line has no end")


def _blocks(content: Content) -> Iterator[bytes]:
    """Yield the text of a list in blocks.

    Raises:
        ValueError: It is no gzip file.
    """
    try:
        with gzip.open(content.opened()) as file:
            yield from iter(partial(file.read, _BLOCK), b"")
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("it is no gzip file") from error


def _text(page: Sequence[str]) -> bytes:
    return "".join([f"{line}\n" for line in page]).encode("utf-8", "surrogatepass")


def _place(key: str) -> str:
    """Return how the line of a key begins: lines of other keys are before or after it alike."""
    return f"[{json.dumps(key, ensure_ascii=False)}"
