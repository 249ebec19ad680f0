"""The manifest of a version of a model: a small JSON file that lists its files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from handrail.frozen import as_json, from_json, frozen
from handrail_train.errors import VersionError

SCHEMA = 1
NAME = r"[a-z0-9][a-z0-9._-]{0,99}"
_FILE = re.compile(r"[a-z][a-z0-9_]{0,99}")


class ManifestError(VersionError):
    """A manifest makes no sense."""


@frozen
class StoredFile:
    """A file of a version.

    Attributes:
        key: Its key in the store, which begins with its content address.
        sha256: SHA-256 of its content, in hexadecimal digits.
        size: Bytes.
    """

    key: str
    sha256: str
    size: int


@frozen
class Version:
    """A version of a model, as its manifest has it.

    Attributes:
        name: Name of the model.
        number: Number of the version, from 1.
        kind: The kind of model, such as `mlp`.
        run: The run that created it.
        created: The time of creation, in UTC.
        data: Fingerprint of the training data.
        scores: The main figures of its test.
        libraries: The versions of the libraries it was trained with, and needs.
        files: Its files: `model`, `table`, `report`, and others.
    """

    name: str
    number: int
    kind: str
    run: str
    created: str
    data: str
    scores: Mapping[str, float]
    libraries: Mapping[str, str]
    files: Mapping[str, StoredFile]

    @property
    def reference(self) -> str:
        """Its name for people: `digits@3`."""
        return f"{self.name}@{self.number}"

    @property
    def key(self) -> str:
        """The key of its manifest."""
        return manifest_key(self.name, self.number)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, **as_json(self)}

    def to_bytes(self) -> bytes:
        """Return the manifest."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Version:
        """Return the version with this JSON form.

        Raises:
            VersionError: The JSON form is malformed.
        """
        schema = found.get("schema") if isinstance(cast("Any", found), Mapping) else None
        if schema != SCHEMA and isinstance(schema, int):
            raise VersionError(
                f"the manifest has the shape {schema}, which this handrail-train does not know",
                ways_out=("pip install --upgrade handrail-train",),
            )
        try:
            made = from_json(cls, found)
            if made.to_dict() != found or type(schema) is not int:
                raise ValueError("it has other fields")
            _check(made)
        except (ValueError, TypeError) as error:
            raise ManifestError(f"this is no manifest of a model: {error}") from error
        return made

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> Version:
        """Parse the manifest under a key.

        Raises:
            VersionError: The manifest is malformed, or belongs under another key.
        """
        try:
            made = cls.from_dict(json.loads(content))
        except VersionError as error:
            raise type(error)(f"{key}: {error.message}", ways_out=error.ways_out) from error
        except ValueError as error:
            raise ManifestError(f"{key}: this is no manifest of a model: {error}") from error
        if made.key != key:
            raise ManifestError(f"{key}: this is the manifest of {made.reference}")
        return made


def _check(version: Version) -> None:
    """Check that no field leads out of the store.

    Raises:
        ValueError: A field is invalid.
    """
    if re.fullmatch(NAME, version.name) is None or version.number < 1:
        raise ValueError("it cannot be called so")
    if not {"model", "table", "report"} <= set(version.files):
        raise ValueError("it lacks a file")
    for name, file in version.files.items():
        # Otherwise the key in a foreign manifest might lead to any file.
        key = rf"objects/{file.sha256[:2]}/{file.sha256}[^/]*"
        named = _FILE.fullmatch(name) and re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        if named is None or re.fullmatch(key, file.key) is None:
            raise ValueError(f"its file {name} cannot be so")


def object_key(content: bytes, run: str, suffix: str) -> str:
    """Return the key of an object: its content address, and the run that stores it."""
    digest = hashlib.sha256(content).hexdigest()
    return f"objects/{digest[:2]}/{digest}-{run}{suffix}"


def manifest_key(name: str, number: int) -> str:
    """Return the key of the manifest of a version."""
    return f"versions/{name}/{number}.json"
