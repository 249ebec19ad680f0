"""The categories of a collection, numbered."""

from __future__ import annotations

from collections.abc import Iterable


class Categories:
    """Names numbered from 0: those given first, then others in the order of use.

    Args:
        names: The names that come first.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}

    def number(self, name: str) -> int:
        """Return the number of a name."""
        return self._numbers.setdefault(name, len(self._numbers))

    @property
    def names(self) -> list[str]:
        """All names so far, by number."""
        return list(self._numbers)
