"""The names that people give to versions, in one small file for each model."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from handrail_storage import Store
from handrail_train.errors import StorageError, VersionError

SCHEMA = 1
ALIAS = r"[a-z][a-z0-9._-]{0,49}"
_RESERVED = ("latest",)
_TRIES = 100  # Attempts if others write at the same time.


def is_alias(text: str) -> bool:
    """Return whether a text can be the name of a version."""
    return re.fullmatch(ALIAS, text) is not None and text not in _RESERVED


def read_aliases(store: Store, name: str) -> dict[str, int]:
    """Return the number of the version of a model that each name stands for.

    Raises:
        StorageError: The store failed or refused.
        VersionError: The file is malformed.
    """
    file = _file_of(name)
    found = store.small_files.get(file)
    return {} if found is None else _parsed(found.content, file)


def change_alias(store: Store, name: str, alias: str, number: int | None) -> int | None:
    """Let a name stand for a version, or for none, whatever others do at the same time.

    Args:
        store: The store.
        name: The model.
        alias: The name.
        number: The number of the version, or None.

    Returns:
        The number of the version for which it stood before, or None.

    Raises:
        StorageError: The store failed or refused.
        VersionError: The file is malformed.
    """
    files, file = store.small_files, _file_of(name)
    for _ in range(_TRIES):
        found = files.get(file)
        aliases = {} if found is None else _parsed(found.content, file)
        before = aliases.pop(alias, None)
        if before == number:
            return before
        if number is not None:
            aliases[alias] = number
        content = json.dumps({"schema": SCHEMA, "aliases": aliases}, indent=1, sort_keys=True)
        if found is None:
            done = files.create(file, content.encode())
        else:
            done = files.swap(file, content.encode(), found.version) is not None
        if done:
            return before
    raise StorageError(f"{file}: others write it all the time (at {store.url})")


def names_of(aliases: dict[str, int], number: int) -> list[str]:
    """Return the names of a version."""
    return sorted(name for name, each in aliases.items() if each == number)


def _file_of(name: str) -> str:
    return f"labels/{name}.json"


def _parsed(content: bytes, file: str) -> dict[str, int]:
    try:
        found = cast("dict[str, Any]", json.loads(content))
        aliases = {str(name): int(each) for name, each in found["aliases"].items()}
        if found["schema"] != SCHEMA or not all(map(is_alias, aliases)):
            raise ValueError("it has another shape")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VersionError(
            f"{file} is no file with the names of versions: {error}",
            ways_out=("pip install --upgrade handrail-train, or remove the file",),
        ) from error
    return aliases
