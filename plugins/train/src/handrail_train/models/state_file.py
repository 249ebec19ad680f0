"""Checkpoints of estimators of scikit-learn: numbers and arrays, in a format that is fast to write.

A skops file describes every attribute by a schema of its own, which takes longer than an epoch on
little data. A checkpoint is read only where it was written, by the same versions, so it needs less:
a line of JSON for the attributes, then the arrays. Loading creates only estimators of scikit-learn
and the types that a kind allows, and calls none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from handrail_train.errors import ModelError

_MAGIC = b"handrail-state 1\n"


def is_state(content: bytes) -> bool:
    """Return whether a content was written by `dump_state`."""
    return content.startswith(_MAGIC)


def dump_state(model: Any, allowed: Sequence[str]) -> bytes | None:
    """Return a model as a checkpoint; None if a part of it does not fit.

    Args:
        model: The model.
        allowed: The types that may be created, besides estimators of scikit-learn.
    """
    writer = _Writer(allowed)
    try:
        head = json.dumps(writer.node(model))
    except _UnfitError:
        return None
    return b"".join((_MAGIC, head.encode(), b"\n", *writer.arrays))


def load_state(content: bytes, allowed: Sequence[str]) -> Any:
    """Return the model in a result of `dump_state`; shared objects are shared again.

    Raises:
        ModelError: The content is damaged, or has a type that is not allowed.
    """
    try:
        head, _, arrays = content[len(_MAGIC) :].partition(b"\n")
        return _Reader(allowed, memoryview(arrays)).node(json.loads(head))
    except (
        *(ValueError, TypeError, LookupError, AttributeError, ImportError, RecursionError),
    ) as error:
        raise ModelError(f"this is no checkpoint that can be read here: {error}") from error


class _UnfitError(Exception):
    """Something is in a model that only skops knows how to write."""


class _Writer:
    """Turns a model into JSON, and the arrays in it into bytes."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self.arrays: list[bytes] = []
        self._allowed = allowed
        self._numbers: dict[int, int] = {}
        self._np: Any = import_module("numpy")

    def node(self, value: Any) -> Any:
        kind: Any = value.__class__
        if value is None or kind in (bool, int, float, str):
            return value
        if id(value) in self._numbers:
            return {"again": self._numbers[id(value)]}
        # In the order in which they are met; the model keeps them, so no address comes twice.
        self._numbers[id(value)] = len(self._numbers)
        if isinstance(value, self._np.generic):
            return self._scalar(value)
        if kind is self._np.ndarray:
            return self._array(value)
        if kind in (list, tuple):
            return {kind.__name__: [self.node(each) for each in value]}
        if kind is dict:
            return {"dict": [[self.node(key), self.node(each)] for key, each in value.items()]}
        if not _is_plain(kind, self._allowed):
            raise _UnfitError
        attributes: dict[str, Any] = value.__dict__
        state: dict[str, Any] = {name: self.node(each) for name, each in attributes.items()}
        return {"type": f"{kind.__module__}.{kind.__qualname__}", "state": state}

    def _scalar(self, scalar: Any) -> Any:
        value = scalar.item()
        if type(value) not in (bool, int, float, str):
            raise _UnfitError
        return {"scalar": self._dtype(scalar), "value": value}

    def _array(self, array: Any) -> Any:
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        self.arrays.append(array.tobytes(order))
        return {"array": self._dtype(array), "shape": array.shape, "order": order}

    def _dtype(self, value: Any) -> str:
        if value.dtype.kind not in "biufU":
            raise _UnfitError
        text: str = value.dtype.str
        return text


class _Reader:
    """Builds a model from the output of `_Writer`."""

    def __init__(self, allowed: Sequence[str], arrays: memoryview) -> None:
        self._allowed = allowed
        self._arrays = arrays
        self._at = 0
        self._made: list[Any] = []
        self._np: Any = import_module("numpy")

    def node(self, node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        given: dict[str, Any] = cast("Any", node)
        if "again" in given:
            return self._made[given["again"]]
        place = len(self._made)
        self._made.append(None)
        if "scalar" in given:
            self._made[place] = self._np.dtype(given["scalar"]).type(given["value"])
        elif "list" in given:
            listed: list[Any] = []
            self._made[place] = listed
            listed.extend(self.node(each) for each in given["list"])
        elif "dict" in given:
            mapped: dict[Any, Any] = {}
            self._made[place] = mapped
            mapped.update((self.node(key), self.node(each)) for key, each in given["dict"])
        elif "tuple" in given:
            self._made[place] = tuple(self.node(each) for each in given["tuple"])
        elif "array" in given:
            self._made[place] = self._array(given)
        else:
            made = self._plain(given["type"])
            self._made[place] = made
            for name, each in given["state"].items():
                vars(made)[name] = self.node(each)
        return self._made[place]

    def _array(self, given: Mapping[str, Any]) -> Any:
        np, dtype = self._np, self._np.dtype(given["array"])
        count = int(np.prod(given["shape"], dtype="int64"))
        found = np.frombuffer(self._arrays, dtype, count, self._at) if count else np.empty(0, dtype)
        self._at += count * dtype.itemsize
        # A copy, for a buffer of a file cannot be trained.
        return found.reshape(given["shape"], order=given["order"]).copy(order="A")

    def _plain(self, name: str) -> Any:
        module, _, kind = name.rpartition(".")
        if not (name in self._allowed or module.startswith("sklearn.")):
            raise ValueError(f"{name} is not allowed")
        found: Any = getattr(import_module(module), kind)
        if not (isinstance(found, type) and _is_plain(found, self._allowed)):
            raise ValueError(f"{name} is not allowed")
        made: Any = object.__new__(cast("type[object]", found))
        return made


def _is_plain(kind: type, allowed: Sequence[str]) -> bool:
    """Return whether objects of a type consist of their attributes, and may be created."""
    estimator: Any = import_module("sklearn.base").BaseEstimator
    name = f"{kind.__module__}.{kind.__qualname__}"
    if not (name in allowed or (name.startswith("sklearn.") and issubclass(kind, estimator))):
        return False
    usual = {
        "__getstate__": (object.__getstate__, estimator.__getstate__),
        "__setstate__": (None, estimator.__setstate__),
        "__reduce_ex__": (object.__reduce_ex__,),
        "__reduce__": (object.__reduce__,),
        "__new__": (object.__new__,),
    }
    if any(vars(each).get("__slots__") for each in kind.__mro__):
        return False
    return all(getattr(kind, each, None) in some for each, some in usual.items())
