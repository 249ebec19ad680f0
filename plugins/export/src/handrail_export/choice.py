"""What is wanted of a source, and whether it has that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from handrail_export.errors import ChoiceError
from handrail_export.names import did_you_mean, listed, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is wanted of a source.

    Attributes:
        columns: Their names in order; empty for all.
        where: An SQL expression that has to be true, or None.
        limit: How many rows at most, or None.
    """

    columns: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None


def check_columns(wanted: Sequence[str], known: Sequence[str], shown: str) -> None:
    """Check that all columns are there, and none twice.

    Raises:
        ChoiceError: They are not.
    """
    for number, name in enumerate(wanted):
        if name not in known:
            near = did_you_mean(name, known)
            raise ChoiceError(
                f"{shown} has no column {name}{near and f'; {near}'}",
                ways_out=(f"columns: {listed(known)}",),
            )
        if name in wanted[:number]:
            raise ChoiceError(f"the column {name} is asked for twice")


def check_names(known: Sequence[str], shown: str) -> None:
    """Check that each column has a name that tells it from the others.

    Raises:
        ChoiceError: They have not.
    """
    seen: dict[str, str] = {}
    for name in known:
        # What filters and writes does not tell capitals from small letters.
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            both = f"two columns {name}" if other == name else f"the columns {other} and {name}"
            same = "" if other == name else ", which are the same to a filter"
            raise ChoiceError(
                f"{shown} has {both}{same}",
                ways_out=("give one of them another name in --query: AS other",),
            )
        if not name:
            raise ChoiceError(
                f"{shown} has a column without a name",
                ways_out=("give it one in --query: AS other",),
            )


def check_filter(where: str) -> None:
    """Check that a filter is one expression of SQL, and nothing that goes on after it.

    Raises:
        ChoiceError: It is not.
    """
    duckdb = import_module("duckdb")
    try:
        duckdb.SQLExpression(where)
    except duckdb.Error as error:
        # Not `from`: it says all that the engine did, and a cause would be shown beside it.
        raise ChoiceError(said(error))  # noqa: B904
