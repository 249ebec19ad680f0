"""Stores the values of results that JSON lacks with the serializers of packs, and reads them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from handrail.errors import JournalError, describe
from handrail.frozen import frozen
from handrail.journal.codec import mask_json, type_name
from handrail.journal.damage import differs
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.serializers import Found, Serializer

_LONGEST = 100  # Characters of the description of a value.
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 100  # Characters before the suffix; file systems allow 255 bytes.

Place = list[str | int]
"""Where a value is within an entry of `data`: keys and indices, outermost first."""


class ValueStore(Protocol):
    """Stores values, as an `OwnedRun` does."""

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value; see `OwnedRun`."""
        ...


class StoredValues(Protocol):
    """Reads stored values, as a `Journal` does."""

    def open_value(self, number: int, name: str) -> BinaryIO:
        """Return a file with a value; see `Journal`."""
        ...


class Serializers(Protocol):
    """Finds the serializers of packs."""

    def for_type(self, kind: type) -> Found | None:
        """Return the serializer for values of `kind`, or None.

        Raises:
            PackError: The serializer cannot be imported, or two packs have one.
        """
        ...

    def hint(self, kind: type) -> str:
        """Return the command that installs a serializer for `kind`, or an empty text."""
        ...

    def named(self, type: str, pack: str) -> Found:  # noqa: A002 - as recorded
        """Return the serializer of a pack for a type.

        Raises:
            PackError: There is none, or it cannot be imported.
        """
        ...


@frozen
class StoredEntry:
    """An entry of `data` as it is recorded.

    Attributes:
        text: Its JSON.
        kind: The type of the value in it that could not be stored, or an empty string.
        why: Why it could not, or an empty string if no pack has a serializer for it.
    """

    text: str
    kind: str = ""
    why: str = ""


class ValueWriter:
    """Stores the values of one run.

    Args:
        serializers: The serializers, or None if there are none.
        owned: The run.
        mask: Removes known secrets from a text.
    """

    def __init__(
        self, serializers: Serializers | None, owned: ValueStore, mask: Callable[[str], str]
    ) -> None:
        self._serializers = serializers
        self._owned = owned
        self._mask = mask

    def store(self, stem: str, value: Any) -> StoredEntry:
        """Store what JSON lacks in an entry of `data`; durable on return.

        Args:
            stem: What the names of the files begin with.
            value: The entry.

        Raises:
            OSError: There is no room for a file, or it cannot be written.
            JournalError: The journal cannot be written.
        """
        parts: list[tuple[Place, Any]] = []
        try:
            shape = _shape(value, [], parts)
            text = mask_json(json.dumps(shape, separators=(",", ":")), self._mask)
            stored: list[dict[str, Any]] = []
            for place, part in parts:
                stored.append({"at": place, **self._store(stem, part)})
        except _UnstorableError as error:
            return _unstorable(error.value, error.why)
        except (TypeError, ValueError, RecursionError) as error:
            return _unstorable(value, describe(error))
        return StoredEntry(text=f'{{"stored":{json.dumps(stored)},"shape":{text}}}')

    def _store(self, stem: str, value: Any) -> dict[str, Any]:
        kind = cast("type[object]", type(value))
        if self._serializers is None:
            raise _UnstorableError(value)
        found = self._serializers.for_type(kind)
        if found is None:
            hint = self._serializers.hint(kind)
            raise _UnstorableError(value, f"{hint} to store it" if hint else "")
        serializer = found.serializer
        try:
            file = self._owned.store_value(
                self._mask(stem), serializer.suffix, lambda file: _dump(serializer, value, file)
            )
        except (OSError, JournalError):
            raise
        except Exception as error:
            raise _UnstorableError(value, describe(error)) from error
        return {
            **file,
            "type": found.type,
            "pack": found.pack,
            "media_type": serializer.media_type,
            "shown": self._mask(_described(serializer, value))[:_LONGEST],
        }


class _UnstorableError(Exception):
    def __init__(self, value: Any, why: str = "") -> None:
        super().__init__(why)
        self.value = value
        self.why = why


def _unstorable(value: Any, why: str) -> StoredEntry:
    kind = type_name(cast("type[object]", type(value)))
    return StoredEntry(text=json.dumps({"unstorable": kind}), kind=kind, why=why)


@calls_user_code
def _dump(serializer: Serializer, value: Any, file: BinaryIO) -> None:
    serializer.dump(value, file)


@calls_user_code
def _described(serializer: Serializer, value: Any) -> str:
    try:
        return str(serializer.describe(value))
    except Exception:  # noqa: BLE001 - a text must not prevent the record of a step
        return type(value).__name__


def _shape(value: Any, place: Place, parts: list[tuple[Place, Any]]) -> Any:
    """Return `value` with None for what JSON lacks, which is added to `parts` with its place."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        return [_shape(each, [*place, index], parts) for index, each in enumerate(items)]
    if isinstance(value, dict):
        entries = cast("dict[object, Any]", cast("object", value))
        for key in entries:
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is {type(key).__name__}, not text")
        return {key: _shape(each, [*place, str(key)], parts) for key, each in entries.items()}
    parts.append((place, value))
    return None


class ValueReader:
    """Reads the stored values of a recorded run.

    Args:
        serializers: The serializers.
        journal: The journal of the run.
        number: The number of the run.
    """

    def __init__(self, serializers: Serializers, journal: StoredValues, number: int) -> None:
        self._serializers = serializers
        self._journal = journal
        self._number = number

    def check(self, stored: Mapping[str, Any]) -> None:
        """Check that a value is as it was stored, and that a pack can load it.

        Raises:
            JournalDamagedError: It is missing, or has changed.
            PackError: The pack that stored it is not there, or cannot be imported.
        """
        self._serializers.named(stored["type"], stored["pack"])
        check_stored(self._journal, self._number, stored)

    def load(self, stored: Mapping[str, Any]) -> Any:
        """Return a stored value.

        Raises:
            JournalDamagedError: It is missing, or has changed.
            JournalError: It cannot be read.
            PackError: The pack that stored it is not there, or cannot be imported.
        """
        found = self._serializers.named(stored["type"], stored["pack"])
        with _opened(self._journal, self._number, stored) as file:
            try:
                return _load(found.serializer, file)
            except Exception as error:
                raise JournalError(
                    f"the value {stored['name']} of run {self._number} cannot be read: "
                    f"{describe(error)}",
                    ways_out=(f"install the version of {found.pack} that stored it",),
                ) from error


def check_stored(journal: StoredValues, number: int, stored: Mapping[str, Any]) -> None:
    """Check that a value is as it was stored.

    Args:
        journal: The journal of the run.
        number: The number of the run.
        stored: The description of the value in a recorded result.

    Raises:
        JournalDamagedError: It is missing, or has changed.
        JournalError: It cannot be read.
    """
    with _opened(journal, number, stored):
        pass


def _opened(journal: StoredValues, number: int, stored: Mapping[str, Any]) -> BinaryIO:
    name = f"the value {stored['name']}"
    file = journal.open_value(number, stored["name"])
    try:
        if hashlib.file_digest(cast("Any", file), "sha256").hexdigest() != stored["sha256"]:
            raise differs(number, name)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


@calls_user_code
def _load(serializer: Serializer, file: BinaryIO) -> Any:
    return serializer.load(file)


def value_names(stem: str, suffix: str) -> Iterator[str]:
    """Yield names for a value without end, the best first, all of plain characters.

    Args:
        stem: What they begin with, any text.
        suffix: What they end with, such as `.parquet`.
    """
    start = _ODD.sub("_", stem).strip("._-")[:_LONGEST_NAME] or "value"
    end = _ODD.sub("", suffix)
    yield f"{start}{end}"
    for number in count(2):
        yield f"{start}-{number}{end}"
