"""Models of scikit-learn as skops files: data with a schema, limited to allowed types.

A skops file names its arrays and shared objects by memory addresses, so two files of one model
differ. `canonical` names them by position instead, and leaves out the times.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast
from zipfile import ZipFile, ZipInfo

from handrail_train.errors import ModelError

_SCHEMA = "schema.json"
_NEVER = (1980, 1, 1, 0, 0, 0)  # The earliest time in a zip file.


def dump_skops(model: Any, allowed: Sequence[str] | None) -> bytes:
    """Return a model as the content of a skops file.

    Args:
        model: The model.
        allowed: The types in it that skops does not trust by itself; None where that was checked.

    Raises:
        ModelError: The model contains a type that `load_skops` would refuse.
    """
    skops = import_module("skops.io")
    content: bytes = skops.dumps(model)
    if allowed is not None:
        _check_types(
            skops, content, allowed, "name them in `allowed` of the kind, if they may be loaded"
        )
    return content


def load_skops(content: bytes, allowed: Sequence[str]) -> Any:
    """Return the model in a skops file.

    Args:
        content: The file.
        allowed: The types that may be created, besides those that skops trusts by itself.

    Raises:
        ModelError: The content is not a skops file, or has a type that is not allowed.
    """
    skops = import_module("skops.io")
    if not content:
        raise ModelError("this is no skops file: it is empty", ways_out=("store the model again",))
    try:
        _check_types(skops, content, allowed, "load nothing that you do not trust")
        return skops.loads(content, trusted=list(allowed))
    except ModelError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise ModelError(
            f"this is no skops file that can be read here: {said}",
            ways_out=("check the file, and the versions of scikit-learn and skops",),
        ) from error


def _check_types(skops: Any, content: bytes, allowed: Sequence[str], way_out: str) -> None:
    found = cast("list[str]", skops.get_untrusted_types(data=content))
    if unknown := sorted(set(found) - set(allowed)):
        raise ModelError(
            f"the model has types in it that are not allowed: {', '.join(unknown)}",
            ways_out=(way_out,),
        )


def canonical(content: bytes) -> bytes:
    """Return a skops file with the same model, equal for equal models."""
    with ZipFile(io.BytesIO(content)) as source:
        schema = json.loads(source.read(_SCHEMA))
        renamed = _Renamed()
        ordered = renamed.node(schema)
        out = io.BytesIO()
        with ZipFile(out, "w") as target:
            for name, other in renamed.files.items():
                content = _without_gaps(name, source.read(name))
                target.writestr(ZipInfo(other, date_time=_NEVER), content)
            target.writestr(ZipInfo(_SCHEMA, date_time=_NEVER), json.dumps(ordered))
    return out.getvalue()


def _without_gaps(name: str, content: bytes) -> bytes:
    """Return an array without padding in its records, since the bytes there are arbitrary."""
    if not name.endswith(".npy"):
        return content
    np = import_module("numpy")
    array = np.load(io.BytesIO(content), allow_pickle=False)
    fields = array.dtype.fields
    if not fields or sum(kind.itemsize for kind, *_ in fields.values()) == array.dtype.itemsize:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for field in fields:
        clean[field] = array[field]
    out = io.BytesIO()
    np.save(out, clean, allow_pickle=False)
    return out.getvalue()


class _Renamed:
    """Numbers the addresses in a schema, in the order of their occurrence."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._numbers: dict[int, int] = {}
        self._last = 0

    def node(self, node: Any) -> Any:
        if isinstance(node, list):
            listed: list[Any] = cast("Any", node)
            return [self.node(each) for each in listed]
        if not isinstance(node, dict):
            return node
        values: dict[str, Any] = cast("Any", node)
        return {key: self._value(values, key, value) for key, value in values.items()}

    def _value(self, node: dict[str, Any], key: str, value: Any) -> Any:
        if key == "__id__":
            return self._number(node, value)
        if key == "file" and isinstance(value, str):
            stem, dot, suffix = value.rpartition(".")
            return self.files.setdefault(
                value, f"{len(self.files)}{dot}{suffix}" if stem else value
            )
        return self.node(value)

    def _number(self, node: dict[str, Any], address: int) -> int:
        # Whether two equal texts or numbers are one object is an accident of the process.
        shared = node.get("__loader__") != "JsonNode"
        if not (shared and address in self._numbers):
            self._last += 1
            if not shared:
                return self._last
            self._numbers[address] = self._last
        return self._numbers[address]
