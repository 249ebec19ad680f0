"""Encodes step results and rollback data as JSON, and decodes them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import RollbackDataError, describe
from handrail.frozen import NOTHING
from handrail.journal.damage import check_shape, check_texts
from handrail.redact import json_has_password

if TYPE_CHECKING:
    from handrail.journal.lazy_data import Load
    from handrail.steps import StepResult

# Created once, because `json.dumps` creates an encoder for each call with options.
_STRICT = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode
UNSTORABLE = '"unstorable":'
"""The part of a recorded result that marks a value that could not be stored."""

STORED = '"stored":'
"""The part of a recorded result that marks values that are stored elsewhere."""

_ATOMS = (str, int, float, bool, type(None))


def encode(value: Any, about: str, *, passwords: bool = False) -> str:
    """Return `value` as ASCII-only JSON, so that text that is not valid Unicode survives.

    Args:
        value: The value.
        about: A name for the value in errors.
        passwords: Whether a URL in it may have a password.

    Raises:
        RollbackDataError: The value cannot be represented in JSON without loss, or contains a URL
            with a password, which the undo would miss.
    """
    try:
        _check(value)
        text = _STRICT(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RollbackDataError(
            f"{about} cannot be stored as JSON: {describe(error)}",
            ways_out=("use only text, numbers, lists, and dicts with text as keys",),
        ) from error
    if not passwords and json_has_password(text):
        raise RollbackDataError(
            f"{about} has a URL with a password in it, which is never stored",
            ways_out=("record it without; in the rollback, take the password from the context",),
        )
    return text


def _check(value: Any) -> None:
    kind: type = type(cast("object", value))
    if kind in _ATOMS:
        return
    if isinstance(value, list | tuple):
        for each in cast("list[Any]", value):
            if type(each) not in _ATOMS:
                _check(each)
    elif isinstance(value, dict):
        for key, each in cast("dict[object, Any]", cast("object", value)).items():
            if not isinstance(key, str):
                # JSON would convert it to text silently.
                raise TypeError(f"the key {key!r} is {type(key).__name__}, not text")
            _check(each)
    elif not isinstance(value, str | int | float):
        raise TypeError(f"a value is {kind.__name__}")


def encode_result(
    result: StepResult,
    name: str,
    mask: Callable[[str], str] = str,
    took: float | None = None,
    traceback: str | None = None,
    stored: Mapping[str, str] = NOTHING,
) -> str:
    """Return a result as JSON; values of its `data` that cannot be stored become markers.

    Args:
        result: The result.
        name: Name of the step, for errors.
        mask: Removes known secrets from a text.
        took: Duration of the attempt in seconds, or None if unknown.
        traceback: Traceback of the exception that the attempt raised, or None.
        stored: The entries of `data` that have no JSON form and are stored elsewhere, by key, as
            `handrail.journal.values` encodes them.

    Raises:
        RollbackDataError: The rollback data cannot be represented in JSON.
    """
    left = result.rollback_data
    # Fast path: most steps have no rollback data.
    rollback = "{}"
    if left.__class__ is not dict or left:
        rollback = mask_json(encode(left, f"rollback_data of step '{name}'"), mask)
    # Built by hand, defaults omitted: one per step is written, and all are read on resume.
    success = "true" if result.success else "false"
    text = f'{{"success":{success},"timestamp":"{result.timestamp.isoformat()}"'
    if result.skipped:
        text += ',"skipped":true'
    if result.error is not None:
        text += f',"error":{_COMPACT(mask(as_text(result.error)))}'
    data = result.data
    if (data.__class__ is not dict or data) and (items := items_of(data)):
        entries = ",".join(
            f"{_COMPACT(mask(as_text(key)))}:{stored.get(key) or _entry(value, mask)}"
            for key, value in items
        )
        text += f',"data":{{{entries}}}'
    if took is not None:
        text += f',"took":{took:.3f}'
    if traceback is not None:
        text += f',"traceback":{_COMPACT(mask(traceback))}'
    return f"{text}}}" if rollback == "{}" else f'{text},"rollback_data":{rollback}}}'


def decode_results(texts: Sequence[str], load: Load | None = None) -> list[StepResult]:
    """Return the results that `encode_result` encoded as `texts`.

    A value that could not be stored is absent. They are parsed as one JSON array: most are so short
    that a call for each would cost more.

    Args:
        texts: The results as JSON.
        load: Loads a value that is stored elsewhere, when it is first looked at.

    Raises:
        ValueError: A text is not what `encode_result` returns; or another error of its conversion,
            see `handrail.journal.damage.MISFIT`.
    """
    found = json.loads(f"[{','.join(texts)}]")
    if len(found) != len(texts):
        raise ValueError("a recorded result is no JSON object")
    from handrail.steps import StepResult  # noqa: PLC0415 - workers for items only encode

    return [_result(StepResult, values, load) for values in found]


def _result(kind: type[StepResult], values: dict[str, Any], load: Load | None) -> StepResult:
    get = values.get
    found = kind(
        values["success"],
        _data(values["data"], load) if "data" in values else {},
        get("error"),
        get("rollback_data", {}),
        get("skipped", False),
        datetime.fromisoformat(values["timestamp"]),
    )
    kinds = (type(found.success), type(found.skipped), type(found.rollback_data), type(found.error))
    if kinds not in _KINDS:
        raise ValueError("a value of a recorded result has another type")
    return found


def _data(entries: dict[str, Any], load: Load | None) -> dict[str, Any]:
    data = {key: entry["value"] for key, entry in entries.items() if "value" in entry}
    if all("stored" not in entry for entry in entries.values()):
        return data
    from handrail.journal.lazy_data import with_stored  # noqa: PLC0415 - few results have any

    return with_stored(data, entries, load)


def may_lack_json(texts: Iterable[str | None]) -> bool:
    """Return whether recorded results may have values that JSON lacks: `entries_of` tells."""
    # The words are found faster than the texts are parsed, or looked at one by one.
    joined = "".join(filter(None, texts))
    return UNSTORABLE in joined or STORED in joined


def entries_of(text: str | None) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries of the `data` of a recorded result that JSON lacks, by key.

    An entry has `unstorable`, the name of a type, or `stored`, the descriptions of values that are
    stored elsewhere: `name`, `size`, `sha256`, `type`, `pack`, `media_type`, `shown`, and where the
    value is in the entry, `at`.

    Raises:
        ValueError: An entry is not one that was written; or another error of its conversion, see
            `handrail.journal.damage.MISFIT`.
    """
    if text is None or not may_lack_json((text,)):
        return NOTHING
    found: dict[str, Mapping[str, Any]] = {}
    for key, entry in json.loads(str(text)).get("data", {}).items():
        check_shape(entry, dict)
        if "unstorable" in entry:
            check_shape(entry["unstorable"], str)
            found[key] = entry
        elif "stored" in entry:
            check_shape(entry["stored"], list)
            for each in entry["stored"]:
                check_texts(each[name] for name in _TEXTS)
                check_shape(each["size"], int)
                check_shape(each["at"], list)
            found[key] = entry
    return found


_TEXTS = ("name", "sha256", "type", "pack", "media_type", "shown")
_KINDS = {(bool, bool, dict, str), (bool, bool, dict, type(None))}


def mask_json(text: str, mask: Callable[[str], str]) -> str:
    """Return JSON with `mask` applied to each string in it, including keys."""
    # Fast path: a mask finds secrets in the JSON text too; parse it only if there are any.
    if mask is str or mask(text) == text:
        return text
    return _COMPACT(_masked(json.loads(text), mask))


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list):
        return [_masked(each, mask) for each in cast("list[Any]", cast("object", value))]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", cast("object", value)).items()
        return {mask(key): _masked(each, mask) for key, each in items}
    return value


def items_of(data: object) -> Sequence[tuple[Any, Any]]:
    """Return the items of the `data` of a result, which may be no mapping."""
    # Fast path: `isinstance` is fast for a dict, but slow for the ABC Mapping.
    if isinstance(data, dict | Mapping):
        return list(cast("Mapping[Any, Any]", cast("object", data)).items())
    return ()


def as_text(value: object) -> str:
    """Return the text of a value, whatever its own code does."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a text must not prevent the record of a step
        return f"<{type(value).__name__}>"


def _entry(value: Any, mask: Callable[[str], str]) -> str:
    kind: type = type(cast("object", value))
    try:
        return f'{{"value":{mask_json(_COMPACT(value), mask)}}}'
    except Exception:  # noqa: BLE001 - any error in the value's own code
        return f"{{{UNSTORABLE}{_COMPACT(type_name(kind))}}}"


def is_json(value: Any) -> bool:
    """Return whether `value` has a JSON form, as `encode_result` looks for it."""
    try:
        _COMPACT(value)
    except Exception:  # noqa: BLE001 - any error in the value's own code
        return False
    return True


def type_name(kind: type) -> str:
    """Return the full name of a class, such as `datetime.date`, or that of a builtin one: `set`."""
    name, module = kind.__qualname__, kind.__module__
    return name if module == "builtins" else f"{module}.{name}"


def now() -> str:
    """Return the current time in UTC in the format of journals."""
    seconds = time.time()
    return f"{_format_second(int(seconds))}.{int(seconds % 1 * 1000):03}Z"


@lru_cache(maxsize=1)
def _format_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
