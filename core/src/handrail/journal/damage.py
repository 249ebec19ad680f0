"""Damage of a journal: what is read and is not what was written, or has no meaning.

All text of a record is decoded here, or within `decoding`, so that damage is always reported as
such, whatever the decoder raises.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from handrail.errors import HandrailError, JournalDamagedError, describe

# What the conversion of a damaged value raises.
MISFIT = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def damaged(run: int, row: str, why: object) -> JournalDamagedError:
    """Return the error for a damaged row.

    Args:
        run: The number of the run.
        row: The row in words, such as `note 3 of step 'copy'`.
        why: How the damage shows, or the error that it led to.
    """
    how = f"cannot be read ({describe(why)})" if isinstance(why, BaseException) else str(why)
    return is_damaged(run, f"run {run} is damaged in the journal: {row} {how}", row)


def differs(run: int, row: str) -> JournalDamagedError:
    """Return the error for a row that differs from its checksum; see `damaged`."""
    return damaged(run, row, "differs from its checksum")


def is_damaged(run: int, message: str, row: str = "") -> JournalDamagedError:
    """Return the error for a run that is known to be damaged, with the message of its damage."""
    return JournalDamagedError(
        message,
        run=run,
        row=row,
        ways_out=(
            "nothing was changed; copy the journal before you try anything",
            "see what is damaged and what is not:  handrail doctor --journal",
        ),
    )


@contextmanager
def decoding(run: int, row: str) -> Generator[None]:
    """Convert what the block raises for a record that cannot be decoded to JournalDamagedError.

    The block must call no code of users.

    Args:
        run: The number of the run.
        row: The row in words.
    """
    try:
        yield
    except HandrailError:
        raise
    except MISFIT as error:
        raise damaged(run, row, error) from error


def decode(text: str, shape: type, run: int, row: str) -> Any:
    """Return the JSON value of a record.

    Args:
        text: The JSON.
        shape: The type that it must have.
        run: The number of the run.
        row: The row in words.

    Raises:
        JournalDamagedError: The text is not JSON, or has another shape.
    """
    try:
        value = json.loads(text)
        check_shape(value, shape)
    except MISFIT as error:
        raise damaged(run, row, error) from error
    return value


def check_shape(value: Any, *shapes: type) -> None:
    """Check that a decoded value has one of the types `shapes`, or raise ValueError."""
    if not isinstance(value, shapes):
        wanted = " or ".join(shape.__name__ for shape in shapes)
        raise ValueError(f"{type(value).__name__} in place of {wanted}")


def check_texts(values: Iterable[Any]) -> None:
    """Check that all decoded values are text, or raise ValueError."""
    for value in values:
        check_shape(value, str)
