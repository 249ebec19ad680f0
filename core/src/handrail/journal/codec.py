"""What steps hand over, as JSON text and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from handrail.errors import RollbackDataError, describe
from handrail.masks import json_has_password
from handrail.steps import StepResult

# Made once: `json.dumps` makes one for each call.
_STRICT = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode
_ATOMS = (str, int, float, bool, type(None))


def encode(value: Any, about: str) -> str:
    """Return `value` as JSON; ASCII only, so that names that are no Unicode survive.

    Raises:
        RollbackDataError: It has no JSON form, or one that reads as another value; or it has a URL
            with a password in it, without which its undo would not work.
    """
    try:
        _check(value)
        text = _STRICT(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise RollbackDataError(
            f"{about} cannot be stored as JSON: {describe(error)}",
            ways_out=("keep to text, numbers, lists and dicts with text as keys",),
        ) from error
    if json_has_password(text):
        raise RollbackDataError(
            f"{about} has a URL with a password in it, which is never stored",
            ways_out=("record it without, and take the password from the context in the rollback",),
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
                # JSON would turn it into text without a word.
                raise TypeError(f"the key {key!r} is {type(key).__name__}, not text")
            _check(each)
    elif not isinstance(value, str | int | float):
        raise TypeError(f"a value is {kind.__name__}")


def encode_result(
    result: StepResult,
    name: str,
    mask: Callable[[str], str] = str,
    more: Mapping[str, str | float] | None = None,
) -> str:
    """Return a result as JSON: rollback data strictly, data as far as it goes.

    Args:
        result: The result.
        name: Name of the step, for errors.
        mask: Takes the known secrets out of a text.
        more: What else is known of the attempt, for people: `took` in seconds, `traceback`.

    Raises:
        RollbackDataError: Its rollback data has no JSON form.
    """
    rollback = mask_json(encode(result.rollback_data, f"rollback_data of step '{name}'"), mask)
    data = _items(result.data)
    rest = _COMPACT(
        {
            "success": result.success,
            "error": None if result.error is None else mask(_text(result.error)),
            "skipped": result.skipped,
            "timestamp": result.timestamp.isoformat(),
            "data": {mask(_text(key)): _as_far_as_it_goes(value, mask) for key, value in data},
            **{
                key: mask(each) if isinstance(each, str) else each
                for key, each in (more or {}).items()
            },
        },
    )
    return f'{rest[:-1]},"rollback_data":{rollback}}}'


def decode_result(text: str) -> StepResult:
    """Return the result that `encode_result` made text of."""
    values: dict[str, Any] = json.loads(text)
    data = {
        key: Unstorable(value["unstorable"]) if _is_marker(value) else value["value"]
        for key, value in values["data"].items()
    }
    return StepResult(
        success=values["success"],
        data=_Data(data) if any(isinstance(each, Unstorable) for each in data.values()) else data,
        error=values["error"],
        rollback_data=values["rollback_data"],
        skipped=values["skipped"],
        timestamp=datetime.fromisoformat(values["timestamp"]),
    )


def mask_json(text: str, mask: Callable[[str], str]) -> str:
    """Return JSON with each text in it masked, keys too; what is no text stays as it is."""
    # A mask finds a secret in JSON as well; only then is it worth while to look at every text.
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


class Unstorable:
    """Stands for a value of `data` that had no JSON form; `kind` tells what it was."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<not stored: {self.kind}>"


class _Data(dict[str, Any]):
    """Data of a recorded result, in which some values are missing; reading one of those raises."""

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, Unstorable):
            raise KeyError(
                f"'{key}' was {value.kind}, which the journal could not store; "
                "put what other steps need into the context, or make it JSON"
            )
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default` where there is none."""
        return self[key] if key in self else default  # noqa: SIM401 - `[]` raises for a marker


def _items(data: object) -> list[tuple[Any, Any]]:
    return (
        list(cast("Mapping[Any, Any]", cast("object", data)).items())
        if isinstance(data, Mapping)
        else []
    )


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the record of a step must not fail over a text
        return f"<{type(value).__name__}>"


def _as_far_as_it_goes(value: Any, mask: Callable[[str], str]) -> dict[str, Any]:
    try:
        text = json.dumps(value)
    except Exception:  # noqa: BLE001 - whatever a value does when it is looked at
        return {"unstorable": type(value).__name__}
    return {"value": json.loads(mask_json(text, mask))}


def _is_marker(value: Mapping[str, Any]) -> bool:
    return "unstorable" in value


def now() -> str:
    """Return the time in UTC, as it is written in a journal."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
