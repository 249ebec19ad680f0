"""The `data` of a recorded result with values that are stored elsewhere, and loaded when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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


class _LazyData(dict[str, Any]):
    """The data of a recorded result; an entry with stored values is loaded when it is looked at."""

    def __init__(self, data: Mapping[str, Any], waiting: dict[str, _Waiting]) -> None:
        super().__init__(data)
        self._waiting = waiting

    def _load(self, key: str) -> None:
        if key in self._waiting:
            super().__setitem__(key, self._waiting[key].loaded())
            del self._waiting[key]

    def _load_all(self) -> None:
        for key in list(self._waiting):
            self._load(key)

    def __getitem__(self, key: str) -> Any:
        self._load(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._waiting.pop(key, None)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._waiting.pop(key, None)

    # Overridden so that `dict(data)`, `{**data}` and `update` use it together with `[]`.
    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def __repr__(self) -> str:
        shown = {key: self._waiting.get(key, super(_LazyData, self).get(key)) for key in self}
        return repr(shown)

    def __eq__(self, other: object) -> bool:
        self._load_all()
        return super().__eq__(other)

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default` if there is none."""
        self._load(key)
        return super().get(key, default)

    def items(self) -> Any:
        """Return the items, all loaded."""
        self._load_all()
        return super().items()

    def values(self) -> Any:
        """Return the values, all loaded."""
        self._load_all()
        return super().values()

    def copy(self) -> dict[str, Any]:
        """Return a plain dict, with all values loaded."""
        return dict(self)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove `key` and return its value, or `default`."""
        self._load(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last item."""
        self._load_all()
        return super().popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, which is set to `default` if there is none."""
        self._load(key)
        return super().setdefault(key, default)

    def update(self, *args: Any, **values: Any) -> None:
        """Set several values."""
        for key, value in dict(*args, **values).items():
            self[key] = value

    def clear(self) -> None:
        """Remove all values."""
        self._waiting.clear()
        super().clear()
