"""Reads the file of a specification."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import cast

from handrail_upload.errors import SpecificationError
from handrail_upload.specification.layout import Specification

_MOST_BYTES = 1024 * 1024
_PLACE = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)


class _RepeatedKeyError(ValueError):
    pass


def read_specification(path: Path) -> Specification:
    """Parse the TOML or JSON file at `path`.

    ```toml
    name = "photos"                  # optional
    [files.image_1]                  # a role
    required = true                  # the default
    extensions = [".jpg", ".png"]    # default: any; the case does not matter
    max_size = "20 MB"               # default: none; also min_size; bytes, or text with a unit
    folder = "images"                # default: one called like the role, if files lie in such
    suffix = "_left"                 # default: none; distinguishes files of this role from others
    ```

    Raises:
        SpecificationError: The file cannot be read or is malformed; with line or key.
    """
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise SpecificationError(
            f"{path}: a specification is .toml or .json, not {path.suffix or 'without extension'}",
            ways_out=("name it after its format, such as collection.toml",),
        )
    table = parse(path, _text(path))
    if not isinstance(table, dict):
        way_out = 'such as {"files": {"image": {"extensions": [".jpg"]}}}'
        raise SpecificationError(f"{path}: has to be an object", ways_out=(way_out,))
    return Specification.from_dict(cast("dict[str, object]", table), source=str(path))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise SpecificationError(f"{path}: there is no such file") from error
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST_BYTES:
        way_out = "is this the specification, or a file of the collection?"
        raise SpecificationError(f"{path}: has more than 1 MiB", ways_out=(way_out,))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SpecificationError(
            f"{path}:{line}: is not UTF-8", ways_out=("save it as UTF-8",)
        ) from error


def _toml(path: Path, text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _PLACE.fullmatch(str(error))
        last = text.rstrip().count("\n") + 1
        message, line = (match[1], match[2]) if match else (str(error), last)
        raise SpecificationError(f"{path}:{line}: this is not TOML: {message}") from error
    except RecursionError as error:
        raise SpecificationError(f"{path}: is nested too deeply") from error


def _json(path: Path, text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        message = f"{path}:{error.lineno}: this is not JSON: {error.msg}"
        raise SpecificationError(message) from error
    except ValueError as error:  # A repeated key, or a number of thousands of digits.
        raise SpecificationError(f"{path}: {error}") from error
    except RecursionError as error:
        raise SpecificationError(f"{path}: is nested too deeply") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _RepeatedKeyError(f"{name} is there twice in one object")
        found[name] = value
    return found


_PARSERS: dict[str, Callable[[Path, str], object]] = {".toml": _toml, ".json": _json}
