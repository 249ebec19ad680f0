"""The names and tags that people give to versions, in one small file for each model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from handrail.frozen import frozen
from handrail_storage import Store
from handrail_train.errors import StorageError, VersionError

SCHEMA = 1
ALIAS = r"[a-z][a-z0-9._-]{0,49}"
_RESERVED = ("latest",)
_TRIES = 100  # Attempts if others write at the same time.


@frozen
class Labels:
    """The names and tags of the versions of a model.

    Attributes:
        aliases: The number of the version that each name stands for.
        tags: The tags of a version by its number.
    """

    aliases: Mapping[str, int]
    tags: Mapping[int, Mapping[str, str]]

    def names_of(self, number: int) -> list[str]:
        """Return the names of a version."""
        return sorted(name for name, each in self.aliases.items() if each == number)

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        tags = {str(number): dict(each) for number, each in self.tags.items() if each}
        about = {"schema": SCHEMA, "aliases": dict(self.aliases), "tags": tags}
        return json.dumps(about, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> Labels:
        """Parse the content of the file.

        Raises:
            VersionError: It is malformed.
        """
        try:
            found = cast("dict[str, Any]", json.loads(content))
            aliases = {str(name): int(each) for name, each in found["aliases"].items()}
            tags = {
                int(number): {str(name): str(value) for name, value in each.items()}
                for number, each in found["tags"].items()
            }
            if found["schema"] != SCHEMA or not all(map(is_alias, aliases)):
                raise ValueError("it has another shape")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VersionError(
                f"{key} is no file with the names of versions: {error}",
                ways_out=("pip install --upgrade handrail-train, or remove the file",),
            ) from error
        return cls(aliases=aliases, tags=tags)


NONE = Labels(aliases={}, tags={})


def is_alias(text: str) -> bool:
    """Return whether a text can be the name of a version."""
    return re.fullmatch(ALIAS, text) is not None and text not in _RESERVED


def labels_file(name: str) -> str:
    """Return the name of the small file with the labels of a model."""
    return f"labels/{name}.json"


def read_labels(store: Store, name: str) -> Labels:
    """Return the names and tags of the versions of a model.

    Raises:
        StorageError: The store failed or refused.
        VersionError: The file is malformed.
    """
    file = labels_file(name)
    found = store.small_files.get(file)
    return NONE if found is None else Labels.from_bytes(found.content, file)


def change_labels(store: Store, name: str, change: Callable[[Labels], Labels]) -> Labels:
    """Change the names and tags of a model, whatever others do at the same time.

    Args:
        store: The store.
        name: The model.
        change: Returns the labels to write for those that are there.

    Returns:
        The labels that were there before.

    Raises:
        StorageError: The store failed or refused.
        VersionError: The file is malformed.
    """
    files, file = store.small_files, labels_file(name)
    for _ in range(_TRIES):
        found = files.get(file)
        before = NONE if found is None else Labels.from_bytes(found.content, file)
        after = change(before)
        if after == before:
            return before
        if found is None:
            done = files.create(file, after.to_bytes())
        else:
            done = files.swap(file, after.to_bytes(), found.version) is not None
        if done:
            return before
    raise StorageError(f"{file}: others write it all the time (at {store.url})")


def with_alias(labels: Labels, alias: str, number: int | None) -> Labels:
    """Return labels in which a name stands for a version, or, with None, for none."""
    others = {name: each for name, each in labels.aliases.items() if name != alias}
    aliases = others if number is None else {**others, alias: number}
    return Labels(aliases=aliases, tags=labels.tags)


def with_tags(labels: Labels, number: int, tags: Mapping[str, str | None]) -> Labels:
    """Return labels in which a version has these tags, and not those whose value is None."""
    merged: dict[str, str | None] = {**labels.tags.get(number, {}), **tags}
    kept = {name: value for name, value in merged.items() if value is not None}
    return Labels(aliases=labels.aliases, tags={**labels.tags, number: kept})


def without(labels: Labels, number: int) -> Labels:
    """Return labels without those of a version that is removed."""
    return Labels(
        aliases={name: each for name, each in labels.aliases.items() if each != number},
        tags={each: tags for each, tags in labels.tags.items() if each != number},
    )
