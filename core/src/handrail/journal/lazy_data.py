"""The `data` of a recorded result with values that are stored elsewhere, and loaded when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

Load = Callable[[Mapping[str, Any]], Any]
"""Loads a value that is stored elsewhere, from its description in a recorded result."""


def with_stored(
    data: dict[str, Any], entries: Mapping[str, Mapping[str, Any]], load: Load | None
) -> dict[str, Any]:
    """Return the `data` of a recorded result, in which stored values are loaded when looked at.

    Args:
        data: The entries that are plain JSON.
        entries: All entries, as recorded.
        load: Loads a stored value; without it, entries with stored values are absent.
    """
    if load is None:
        return data
    waiting = {
        key: _Waiting(entry["shape"], entry["stored"], load)
        for key, entry in entries.items()
        if "stored" in entry
    }
    ordered = {key: data.get(key) for key in entries if key in data or key in waiting}
    return _LazyData(ordered, waiting)


class _Waiting:
    """An entry of `data` with stored values that are not loaded yet."""

    def __init__(self, shape: Any, stored: Sequence[Mapping[str, Any]], load: Load) -> None:
        self._shape = shape
        self._stored = stored
        self._load = load

    def loaded(self) -> Any:
        """Return the entry with its values."""
        found = self._shape
        for each in self._stored:
            value, place = self._load(each), each["at"]
            if not place:
                return value
            inner = found
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
        return found

    def __repr__(self) -> str:
        return f"<{', '.join(each['shown'] for each in self._stored)}>"


_DICT: type[dict[str, Any]] = dict

if TYPE_CHECKING:

    class _Methods:
        """Of a mapping; for type checkers, those of a dict."""
else:
    _Methods = MutableMapping


class _LazyData(_Methods, dict[str, Any]):
    """The data of a recorded result; an entry with stored values is loaded when it is looked at."""

    # What is not here, `MutableMapping` makes of what is.

    def __init__(self, data: Mapping[str, Any], waiting: dict[str, _Waiting]) -> None:
        _DICT.__init__(self, data)
        self._waiting = waiting

    def __getitem__(self, key: str) -> Any:
        if key in self._waiting:
            _DICT.__setitem__(self, key, self._waiting[key].loaded())
            del self._waiting[key]
        return _DICT.__getitem__(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._waiting.pop(key, None)
        _DICT.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        _DICT.__delitem__(self, key)
        self._waiting.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        return _DICT.__iter__(self)

    def __len__(self) -> int:
        return _DICT.__len__(self)

    def __contains__(self, key: object) -> bool:
        return _DICT.__contains__(self, key)

    def __repr__(self) -> str:
        return repr({key: self._waiting.get(key, _DICT.get(self, key)) for key in self})

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def copy(self) -> dict[str, Any]:
        """Return a plain dict, with all values loaded."""
        return dict(self)
