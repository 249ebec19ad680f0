"""Choice: the columns, filter and limit of an export; and checks against the source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib import import_module
from typing import Any, cast

from handrail.frozen import frozen
from handrail.suggest import did_you_mean
from handrail_export.errors import ChoiceError
from handrail_export.names import listed, said


@frozen
class Choice:
    """The selection of rows and columns.

    Attributes:
        columns: The names of the columns in order; empty for all.
        where: An SQL condition, or None.
        limit: The maximum number of rows, or None.
    """

    columns: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None


def check_columns(wanted: Sequence[str], known: Sequence[str], shown: str) -> None:
    """Check that all columns exist and are distinct.

    Raises:
        ChoiceError: A column does not exist or is repeated.
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


def check_names(
    known: Sequence[str],
    shown: str,
    *,
    way_out: str = "give one of them another name in --query: AS other",
) -> None:
    """Check that all columns have distinct names.

    Args:
        known: The names.
        shown: Description of the source, for people.
        way_out: What to do about two that are the same.

    Raises:
        ChoiceError: Two columns have the same name.
    """
    seen: dict[str, str] = {}
    for name in known:
        # The engine ignores the case of names.
        other = seen.get(name.casefold())
        seen[name.casefold()] = name
        if other is not None:
            both = f"two columns {name}" if other == name else f"the columns {other} and {name}"
            same = "" if other == name else ", which are the same to a filter"
            raise ChoiceError(
                f"{shown} has {both}{same}",
                ways_out=(way_out,),
            )
        if not name:
            raise ChoiceError(
                f"{shown} has a column without a name",
                ways_out=("give it one in --query: AS other",),
            )


# Those that make rows of their arguments. Others read files, or change settings of the engine, such
# as where it writes a log; or they take a query as a text, which is not checked.
_FUNCTIONS = frozenset(("generate_series", "json_each", "json_tree", "range", "unnest"))


def check_functions(query: str) -> None:
    """Check that a query of the engine calls no table function that does more than make rows.

    Raises:
        ChoiceError: It does.
    """
    with closing(import_module("duckdb").connect()) as connection:
        ((told,),) = connection.execute("SELECT json_serialize_sql($1)", [query]).fetchall()
    tree: dict[str, Any] = json.loads(told)
    if tree["error"]:  # What cannot be looked through is not taken.
        raise ChoiceError(str(tree["error_message"]))
    for name in _functions_in(tree):
        if name.lower() not in _FUNCTIONS:
            raise ChoiceError(
                f"only what is given as a source can be read, and not {name}(...)",
                ways_out=(f"table functions that are taken: {listed(sorted(_FUNCTIONS))}",),
            )


def _functions_in(tree: object) -> Iterator[str]:
    """Yield the names of the table functions in a query, as the engine describes it in JSON."""
    if isinstance(tree, list):
        for each in cast("list[object]", tree):
            yield from _functions_in(each)
    elif isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"]["function_name"])
        yield from _functions_in(list(node.values()))


def check_filter(where: str) -> None:
    """Check that a filter is a single SQL expression.

    Raises:
        ChoiceError: The filter is not a single expression, or reads more than the source.
    """
    duckdb = import_module("duckdb")
    try:
        duckdb.SQLExpression(where)
    except duckdb.Error as error:
        # Not `from`: the message has the engine's whole text, and a cause would be shown again.
        raise ChoiceError(said(error))  # noqa: B904
    check_functions(f"SELECT 1 WHERE (\n{where}\n)")
