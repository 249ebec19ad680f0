"""The errors of storages; a pack derives its own errors from these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Self, TypeVar

from handrail.errors import HandrailError

_WAY_OUT = "look at who has written this journal; what is left is yours to look at, and to remove"
_SHOWN = 240  # Characters of a value.

E = TypeVar("E", bound=HandrailError)


class PassingError(HandrailError, RuntimeError):
    """A server refused or failed, maybe for a moment only; see `retrying`.

    Attributes:
        passing: Whether it may work a moment later.
        attempts: Number of attempts; 0 if unknown.
        reason: What is wrong, in a few words and without what was asked for; may be empty.
    """

    def __init__(
        self,
        message: str,
        *,
        passing: bool = False,
        reason: str = "",
        ways_out: Iterable[str] = (),
    ) -> None:
        super().__init__(message, ways_out=ways_out)
        self.passing = passing
        self.attempts = 0
        self.reason = reason

    def after(self, attempts: int) -> Self:
        """Return the error with the number of attempts, from 1."""
        times = "once" if attempts == 1 else f"{attempts} times"
        tried = f"tried {times}" if self.passing else "not retried"
        told = copy(self)
        told.message, told.attempts = f"{self.message}, {tried}", attempts
        told.args = (told.message,)
        return told


class StorageError(PassingError):
    """The storage refused or failed; the message has the key and the server's words.

    Attributes:
        no_place: Whether the place itself, such as a bucket, is not there.
    """

    code = "storage"
    no_place = False


class ContainmentError(HandrailError, RuntimeError):
    """Something recorded of a run would lead an undo, or a resumed run, elsewhere."""

    code = "storage-containment"

    @classmethod
    def about(cls, where: str, value: object, why: str) -> Self:
        """Return an error for a rejected value.

        Args:
            where: The place of the value, such as `note 'keys'`.
            value: The value.
            why: The problem, as a sentence without a full stop.
        """
        return cls(
            f"the journal names {_shown(value)} ({where}), but {why}; nothing of it was touched",
            ways_out=(_WAY_OUT,),
        )

    @classmethod
    def about_run(cls, name: object) -> Self:
        """Return an error for a text that cannot be the name of a run."""
        return cls(
            f"{_shown(name)} is no name of a run: it would lead elsewhere", ways_out=(_WAY_OUT,)
        )


class TakenError(Exception):
    """Something else is stored under the key, or has taken the place of what was to be replaced."""


def first_of(errors: Sequence[E], count: int | None = None) -> E | None:
    """Return the first of several errors, with the number of the others in its message.

    Args:
        errors: The errors.
        count: Their number, if only some of them were kept.
    """
    more = (count or len(errors)) - 1
    if more < 1:
        return errors[0] if errors else None
    first = errors[0]
    return type(first)(f"{first.message}, and {more:,} more", ways_out=first.ways_out)


def _shown(value: object) -> str:
    """Return a value in a form that can be shown and stored, with any content."""
    shown = repr(value).encode("utf-8", "backslashreplace").decode()
    # The end of a path is more specific than its beginning.
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN // 4]}…{shown[-_SHOWN * 3 // 4 :]}"
