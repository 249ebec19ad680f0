"""The versions of models in a store.

A model and its files are objects, `objects/ab/<sha256>-<run>.<suffix>`, where `ab` are the first
digits of the SHA-256. A small manifest, `versions/<name>/<number>.json`, makes them a version; it
is created last and names them all. Each version has files of its own: of a shared one, an undo
could not know whether another run is about to use it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from handrail_storage import Store
from handrail_train.aliases import is_alias, read_aliases
from handrail_train.data.encoder import TableEncoder
from handrail_train.data.target import Target
from handrail_train.errors import DataError, ModelError, NoVersionError, VersionError
from handrail_train.manifest import NAME, ManifestError, Version, manifest_key
from handrail_train.models import kind_named
from handrail_train.names import near
from handrail_train.predictor import Predictor, table_from_dict
from handrail_train.store import in_store, open_store

_KEY = re.compile(rf"versions/({NAME})/(\d+)\.json")
_NAMED = re.compile(rb'"(objects/[0-9a-f]{2}/[0-9a-f]{64}[A-Za-z0-9._-]*)"')
_READERS = 16


class Versions:
    """The versions of models in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self, name: str | None = None) -> list[Version]:
        """Return the versions, by name and number; of one model if `name` is given.

        Raises:
            StorageError: The store failed or refused.
            VersionError: A manifest is malformed.
        """
        found, damaged = self.look(name)
        for error in damaged.values():
            raise error
        return found

    def look(self, name: str | None = None) -> tuple[list[Version], dict[str, VersionError]]:
        """Return the versions as `all` does, and the errors of the others by reference.

        Raises:
            StorageError: The store failed or refused.
        """
        found: list[Version] = []
        damaged: dict[str, VersionError] = {}
        for key, content in self._manifests(name):
            try:
                found.append(self._read(content, key))
            except VersionError as error:
                damaged[_reference(key)] = error
        return found, damaged

    def _read(self, content: bytes, key: str) -> Version:
        try:
            return Version.from_bytes(content, key)
        except ManifestError as error:
            way = f"remove it: handrail models remove {_reference(key)}{in_store(self.store.url)}"
            raise ManifestError(
                f"{error.message} (in {self.store.url})", ways_out=(way,)
            ) from error

    def get(self, reference: str) -> Version:
        """Return the version that `NAME@NUMBER` or `NAME@ALIAS` names, the latest for a `NAME`.

        Raises:
            StorageError: The store failed or refused.
            NoVersionError: The version does not exist.
            VersionError: Its manifest is malformed.
        """
        name, at, number = reference.partition("@")
        alias = number if is_alias(number) else None
        there = [each for _, each, _ in self._found(name)]
        if not there:
            known = sorted({each for each, _, _ in self._found()})
            raise NoVersionError(
                f"there is no model {name!r} in {self.store.url}",
                ways_out=(
                    *near(name, known),
                    f"see which there are: handrail models list{in_store(self.store.url)}",
                ),
            )
        if alias is not None:
            aliases = read_aliases(self.store, name)
            if alias not in aliases:
                raise NoVersionError(
                    f"no version of {name} is called {alias} in {self.store.url}",
                    ways_out=(
                        *near(alias, aliases),
                        f"name one: handrail models alias {name}@{max(there)} {alias}"
                        f"{in_store(self.store.url)}",
                    ),
                )
            number = str(aliases[alias])
        wanted = max(there) if not at or number == "latest" else _number(number)
        content = None if wanted is None else self.store.read(manifest_key(name, wanted))
        if wanted is None or content is None:
            raise NoVersionError(
                f"there is no version {reference} in {self.store.url}; the latest is "
                f"{name}@{max(there)}",
                ways_out=(
                    f"see which there are: handrail models list {name}{in_store(self.store.url)}",
                ),
            )
        return self._read(content, manifest_key(name, wanted))

    def next_number(self, name: str) -> int:
        """Return the number for the next version of a model, unless another run takes it first."""
        return max((number for _, number, _ in self._found(name)), default=0) + 1

    def content(self, version: Version, file: str = "model") -> bytes:
        """Return a file of a version.

        Raises:
            StorageError: The store failed or refused.
            VersionError: The file does not exist, or differs from the manifest.
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
                ways_out=(
                    "remove the version: handrail models remove "
                    f"{version.reference}{in_store(self.store.url)}",
                ),
            )
        return content

    def load(self, version: Version) -> Predictor:
        """Return the model of a version, to predict with.

        Raises:
            StorageError: The store failed or refused.
            VersionError: The file does not exist, or differs from the manifest.
            ModelError: The file has a type that is not allowed, or its library is missing.
        """
        kind = kind_named(version.kind)
        kind.check()
        content = self.content(version)
        try:
            model = kind.load(content)
        except ModelError as error:
            now = kind.versions()
            others = (
                f"it was made with {name} {before}, and here is {now[name]}"
                for name, before in version.libraries.items()
                if name in now and now[name] != before
            )
            raise ModelError(
                f"{version.reference}: {error.message}", ways_out=(*others, *error.ways_out)
            ) from error
        encoder, target = self._table(version)
        return Predictor(kind=kind, model=model, encoder=encoder, target=target)

    def _table(self, version: Version) -> tuple[TableEncoder, Target]:
        try:
            return table_from_dict(json.loads(self.content(version, "table")))
        except (ValueError, TypeError, AttributeError) as error:
            said = error.message if isinstance(error, DataError) else str(error)
            raise VersionError(
                f"{version.reference}: what it knows of its table cannot be read: {said}",
                ways_out=("train it again",),
            ) from error

    def remove(self, version: Version) -> list[str]:
        """Delete a version, and those of its files that no other version has.

        Returns:
            The keys of the files that were deleted.
        """
        return self._remove(version.key, (each.key for each in version.files.values()))

    def remove_damaged(self, reference: str) -> list[str]:
        """Delete a version with a malformed manifest, and those files that it still names.

        Returns:
            The keys of the files that were deleted.
        """
        name, _, number = reference.partition("@")
        key = manifest_key(name, int(number))
        content = self.store.read(key) or b""
        return self._remove(key, (each.decode() for each in _NAMED.findall(content)))

    def _remove(self, key: str, files: Iterable[str]) -> list[str]:
        # The manifest first, so that no version lacks a file.
        self.store.delete([key])
        keys = self.unused(files)
        self.store.delete(keys)
        return keys

    def unused(self, keys: Iterable[str]) -> list[str]:
        """Return those of `keys` that no version has among its files."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return []
        # Also for manifests of a newer handrail-train, of any form.
        manifests = [content for _, content in self._manifests()]
        return [key for key in wanted if not any(key.encode() in each for each in manifests)]

    def _manifests(self, name: str | None = None) -> list[tuple[str, bytes]]:
        keys = [key for _, _, key in self._found(name)]
        with ThreadPoolExecutor(_READERS) as pool:
            contents = list(pool.map(self.store.read, keys))
        # A version that was removed meanwhile does not count.
        return [(k, each) for k, each in zip(keys, contents, strict=True) if each is not None]

    def _found(self, name: str | None = None) -> Iterator[tuple[str, int, str]]:
        prefix = "versions/" if name is None else f"versions/{name}/"
        if name is not None and re.fullmatch(NAME, name) is None:
            return
        found = (_KEY.fullmatch(each.key) for each in self.store.listing(prefix))
        yield from sorted((each[1], int(each[2]), each[0]) for each in found if each is not None)


def load_model(store: str, reference: str) -> Predictor:
    """Return a model that was trained here, to predict with.

    It is used in the same way whatever its kind: `load_model(store, "people@3").predict(rows)`.

    Args:
        store: A folder, or a URL such as `s3://bucket/path`.
        reference: `NAME@NUMBER`, `NAME@ALIAS`, or `NAME` for the latest version.

    Returns:
        The model, with its `schema`; that of its library is its `model`.

    Raises:
        StorageError: The store failed or refused.
        VersionError: The version does not exist, or differs from its manifest.
        ModelError: The file has a type that is not allowed, or its library is missing.
    """
    versions = Versions(open_store(store))
    return versions.load(versions.get(reference))


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _reference(key: str) -> str:
    _, name, file = key.split("/")
    return f"{name}@{file.removesuffix('.json')}"
