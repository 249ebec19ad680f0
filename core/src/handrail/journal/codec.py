"""Encodes step results and rollback data as JSON, and decodes them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from handrail.errors import RollbackDataError, describe
from handrail.frozen import NOTHING
from handrail.journal.damage import MISFIT, check_shape, check_texts, damaged
from handrail.redact import json_has_password

if TYPE_CHECKING:
    from handrail.journal.records import ChunkRow
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
    if load is None or all("stored" not in entry for entry in entries.values()):
        return data
    waiting = {
        key: _Waiting(entry["shape"], entry["stored"], load)
        for key, entry in entries.items()
        if "stored" in entry
    }
    ordered = {key: data.get(key) for key in entries if key in data or key in waiting}
    return _LazyData(ordered, waiting)


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


class AttemptId(NamedTuple):
    """One attempt at one chunk of a step.

    Attributes:
        run: The UUID of the run.
        step: The name of the step.
        step_attempt: The number of the attempt of the step: 1, 2, 3, ...
        chunk: The number of the chunk in that attempt: 0, 1, 2, ...
        attempt: The number of the attempt at the chunk: 1, 2, 3, ...; undoing it has the number of
            what it undoes.
        undo: Whether the chunk is undone.
    """

    run: str
    step: str
    step_attempt: int
    chunk: int
    attempt: int
    undo: bool = False


class Note(NamedTuple):
    """Rollback data that an item has recorded.

    Attributes:
        item: The position of the item in its chunk.
        key: The key.
        values: The values, which are JSON.
    """

    item: int
    key: str
    values: list[Any]


def items_of_chunk(run: int, row: ChunkRow) -> list[Any]:
    """Return the stored items of a chunk."""
    if row.items is None:
        return _decoded(run, row, row.results, "items")
    return _decoded(run, row, row.items, None)


def results_of_chunk(run: int, row: ChunkRow) -> list[Any]:
    """Return what the items of a chunk returned."""
    return [None] * row.size if row.results is None else _decoded(run, row, row.results, "results")


def errors_of_chunk(run: int, row: ChunkRow) -> list[tuple[int, str, str]]:
    """Return the position in the chunk, the error and the traceback of each item that failed."""
    if row.errors is None:
        return []
    try:
        found = [(place, str(error), str(trace)) for place, error, trace in json.loads(row.errors)]
        if all(type(place) is int and 0 <= place < row.size for place, *_ in found):
            return found
    except MISFIT as error:
        raise damaged(run, _name(row), error) from error
    raise damaged(run, _name(row), "has errors of items that it does not have")


def _decoded(run: int, row: ChunkRow, text: str | None, key: str | None) -> list[Any]:
    """Return a list of the size of the chunk, which may be stored together with another one."""
    try:
        whole = str(text)
        found: Any = json.loads(whole)
        listed: list[Any] = found[key] if key is not None and whole.startswith("{") else found
        check_shape(listed, list)
        if len(listed) == row.size:
            return listed
    except MISFIT as error:
        raise damaged(run, _name(row), error) from error
    raise damaged(run, _name(row), "has another number of items than it should")


def _name(row: ChunkRow) -> str:
    return f"chunk {row.number} of the items of step '{row.step}'"


Load = Callable[[Mapping[str, Any]], Any]
"""Loads a value that is stored elsewhere, from its description in a recorded result."""


class _Waiting:
    """An entry of `data` with stored values that are not loaded yet."""

    def __init__(self, shape: Any, stored: Sequence[Mapping[str, Any]], load: Load) -> None:
        self._shape = shape
        self._stored = stored
        self._load = load

    def loaded(self) -> Any:
        """Return the entry with its values."""
        found = self._shape
        for each in self._stored:
            value, place = self._load(each), each["at"]
            if not place:
                return value
            inner = found
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
        return found

    def __repr__(self) -> str:
        return f"<{', '.join(each['shown'] for each in self._stored)}>"


_DICT: type[dict[str, Any]] = dict

if TYPE_CHECKING:

    class _Methods:
        """Of a mapping; for type checkers, those of a dict."""
else:
    _Methods = MutableMapping


class _LazyData(_Methods, dict[str, Any]):
    """The data of a recorded result; an entry with stored values is loaded when it is looked at."""

    # What is not here, `MutableMapping` makes of what is.

    def __init__(self, data: Mapping[str, Any], waiting: dict[str, _Waiting]) -> None:
        _DICT.__init__(self, data)
        self._waiting = waiting

    def __getitem__(self, key: str) -> Any:
        if key in self._waiting:
            _DICT.__setitem__(self, key, self._waiting[key].loaded())
            del self._waiting[key]
        return _DICT.__getitem__(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._waiting.pop(key, None)
        _DICT.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        _DICT.__delitem__(self, key)
        self._waiting.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        return _DICT.__iter__(self)

    def __len__(self) -> int:
        return _DICT.__len__(self)

    def __contains__(self, key: object) -> bool:
        return _DICT.__contains__(self, key)

    def __repr__(self) -> str:
        return repr({key: self._waiting.get(key, _DICT.get(self, key)) for key in self})

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return dict, (dict(self),)

    def copy(self) -> dict[str, Any]:
        """Return a plain dict, with all values loaded."""
        return dict(self)
