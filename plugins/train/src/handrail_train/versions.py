"""The versions of models in a store.

A model and what belongs to it are objects under their content address,
`objects/ab/<sha256>.<suffix>`, so equal ones are stored once. What makes them a version is a small
manifest, `versions/<name>/<number>.json`, which is created last and names them all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from handrail_train.errors import VersionError
from handrail_train.models import kind_named
from handrail_train.names import near
from handrail_train.store import Store, open_store

SCHEMA = 1
NAME = r"[a-z0-9][a-z0-9._-]{0,99}"
_KEY = re.compile(rf"versions/({NAME})/(\d+)\.json")
_READERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a version.

    Attributes:
        key: Its key in the store, which has its content address.
        sha256: SHA-256 of its content, in hexadecimal digits.
        size: Bytes.
    """

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a model, as its manifest has it.

    Attributes:
        name: Name of the model.
        number: Number of the version, from 1.
        kind: What kind of model it is, such as `mlp`.
        run: The run that has made it.
        created: When, in UTC.
        data: Fingerprint of what it was trained on.
        scores: The main figures of its test.
        libraries: The libraries it was made with, and needs.
        files: Its files: `model`, `report`, `learning_curve`, `confusion_matrix`.
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
        """What people call it: `digits@3`."""
        return f"{self.name}@{self.number}"

    @property
    def key(self) -> str:
        """The key of its manifest."""
        return manifest_key(self.name, self.number)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, **asdict(self)}

    def to_bytes(self) -> bytes:
        """Return the manifest."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Version:
        """Return the version with this JSON form.

        Raises:
            VersionError: It makes no sense.
        """
        try:
            values = dict(found)
            schema = values.pop("schema")
            if schema == SCHEMA:
                files = {name: StoredFile(**each) for name, each in values.pop("files").items()}
                return cls(**values, files=files)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VersionError(f"this is no manifest of a model: {error!r}") from error
        raise VersionError(
            f"the manifest has the shape {schema}, which this handrail-train does not know",
            ways_out=("pip install --upgrade handrail-train",),
        )

    @classmethod
    def from_bytes(cls, content: bytes, key: str) -> Version:
        """Return what a manifest says.

        Raises:
            VersionError: It makes no sense.
        """
        try:
            return cls.from_dict(json.loads(content))
        except VersionError as error:
            raise VersionError(f"{key}: {error.message}", ways_out=error.ways_out) from error
        except ValueError as error:
            raise VersionError(f"{key}: this is no manifest of a model: {error}") from error


def object_key(content: bytes, suffix: str) -> str:
    """Return the key of an object, which has its content address."""
    digest = hashlib.sha256(content).hexdigest()
    return f"objects/{digest[:2]}/{digest}{suffix}"


def manifest_key(name: str, number: int) -> str:
    """Return the key of the manifest of a version."""
    return f"versions/{name}/{number}.json"


class Versions:
    """The versions of models in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self, name: str | None = None) -> list[Version]:
        """Return the versions, by name and number; of one model if `name` is given.

        Raises:
            StorageError: The store failed or refused.
            VersionError: A manifest makes no sense.
        """
        return [Version.from_bytes(content, key) for key, content in self._manifests(name)]

    def get(self, reference: str) -> Version:
        """Return the version that `NAME@NUMBER` names; the latest one for a bare `NAME`.

        Raises:
            StorageError: The store failed or refused.
            VersionError: There is none, or its manifest makes no sense.
        """
        name, at, number = reference.partition("@")
        there = [each for _, each, _ in self._found(name)]
        if not there:
            known = sorted({each for each, _, _ in self._found()})
            raise VersionError(
                f"there is no model {name!r} in {self.store.url}", ways_out=near(name, known)
            )
        wanted = max(there) if not at or number == "latest" else _number(number)
        content = None if wanted is None else self.store.read(manifest_key(name, wanted))
        if wanted is None or content is None:
            raise VersionError(
                f"there is no version {reference} in {self.store.url}; the latest is "
                f"{name}@{max(there)}"
            )
        return Version.from_bytes(content, manifest_key(name, wanted))

    def next_number(self, name: str) -> int:
        """Return the number that the next version of a model gets if nobody is quicker."""
        return max((number for _, number, _ in self._found(name)), default=0) + 1

    def content(self, version: Version, file: str = "model") -> bytes:
        """Return a file of a version.

        Raises:
            StorageError: The store failed or refused.
            VersionError: It is not there, or is not what the manifest says.
        """
        about = version.files.get(file)
        if about is None:
            raise VersionError(
                f"{version.reference} has no {file}; it has {', '.join(version.files)}"
            )
        content = self.store.read(about.key)
        if content is None or hashlib.sha256(content).hexdigest() != about.sha256:
            what = "is gone" if content is None else "is not what was stored"
            raise VersionError(
                f"{version.reference}: {about.key} {what} (in {self.store.url})",
                ways_out=(f"remove it: handrail models remove {version.reference}",),
            )
        return content

    def load(self, version: Version) -> Any:
        """Return the model of a version, to predict with.

        Raises:
            StorageError: The store failed or refused.
            VersionError: It is not there, or is not what the manifest says.
            ModelError: It has something in it that is not allowed, or lacks its library.
        """
        kind = kind_named(version.kind)
        kind.check()
        return kind.load(self.content(version))

    def remove(self, version: Version) -> list[str]:
        """Delete a version, and those of its files that no other version has.

        Returns:
            The keys of the files that were deleted.
        """
        self.store.delete([version.key])
        keys = self.unused(each.key for each in version.files.values())
        self.store.delete(keys)
        return keys

    def unused(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that no version has among its files."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return []
        # Also by those that a newer handrail-train has written, whatever their shape.
        manifests = [content for _, content in self._manifests()]
        return [key for key in wanted if not any(key.encode() in each for each in manifests)]

    def _manifests(self, name: str | None = None) -> list[tuple[str, bytes]]:
        keys = [key for _, _, key in self._found(name)]
        with ThreadPoolExecutor(_READERS) as pool:
            contents = list(pool.map(self.store.read, keys))
        # One that was removed meanwhile is no version any more.
        return [(k, each) for k, each in zip(keys, contents, strict=True) if each is not None]

    def _found(self, name: str | None = None) -> Iterator[tuple[str, int, str]]:
        prefix = "versions/" if name is None else f"versions/{name}/"
        if name is not None and re.fullmatch(NAME, name) is None:
            return
        found = (_KEY.fullmatch(key) for key in self.store.keys(prefix))
        yield from sorted((each[1], int(each[2]), each[0]) for each in found if each is not None)


def load_model(store: str, reference: str) -> Any:
    """Return a model that was trained here, to predict with.

    Args:
        store: A folder, or a URL such as `s3://bucket/path`.
        reference: `NAME@NUMBER`, or `NAME` for the latest version.

    Returns:
        What its library makes of it: a `sklearn.pipeline.Pipeline`, a `lightgbm.Booster`.

    Raises:
        StorageError: The store failed or refused.
        VersionError: It is not there, or is not what its manifest says.
        ModelError: It has something in it that is not allowed, or lacks its library.
    """
    versions = Versions(open_store(store))
    return versions.load(versions.get(reference))


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
