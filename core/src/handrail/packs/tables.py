"""The settings of one pack: its table in the project file, checked by the pack's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handrail.errors import Problem, SettingsError
from handrail.names import did_you_mean
from handrail.origin import Origin

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The values that a project sets for a pack.

    Attributes:
        values: By key, possibly nested.
        source: Returns `file:line` of a value by the path to it.
    """

    values: Mapping[str, Any]
    source: Callable[..., str]


def validated(table: Table, model: type[BaseModel] | None, pack: Origin) -> Any:
    """Return an instance of `model` from the values, or the plain values without a model.

    Raises:
        SettingsError: A value does not fit, is missing or unknown; it has all the problems.
    """
    if model is None:
        return dict(table.values)
    from pydantic import ValidationError  # noqa: PLC0415 - the pack has loaded it

    problems = list(_unknown(table, model, pack))
    try:
        settings = model.model_validate(dict(table.values))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] == "extra_forbidden":
                continue
            key = ".".join(map(str, each["loc"]))
            message = f"{key}: {each['msg']}" if key else each["msg"]
            problems.append(_problem(table, each["loc"], message, pack))
    else:
        if not problems:
            return settings
    count = "a setting that does" if len(problems) == 1 else f"{len(problems)} settings that do"
    raise SettingsError(f"{pack} has {count} not fit", problems=problems)


def _unknown(table: Table, model: type[BaseModel], pack: Origin) -> list[Problem]:
    """Return a problem for each key that the model does not have, which it may pass over."""
    if model.model_config.get("extra") == "allow":
        return []
    fields = model.model_fields
    known = {*fields, *(field.alias for field in fields.values() if field.alias)}
    if any(field.validation_alias not in (None, field.alias) for field in fields.values()):
        # Such a field may be filled from several keys; the model has to judge.
        return []
    return [
        _problem(
            table,
            (key,),
            f"there is no setting {key}",
            pack,
            did_you_mean(key, sorted(known)) or f"it has: {', '.join(sorted(known))}",
        )
        for key in table.values
        if key not in known
    ]


def _problem(
    table: Table, path: tuple[str | int, ...], message: str, pack: Origin, *ways_out: str
) -> Problem:
    source = table.source(*path)
    file, _, line = source.rpartition(":")
    place = Origin(file=file, line=int(line)) if line.isdigit() else Origin(file=source)
    return Problem(
        code="bad-setting",
        message=f"{source}: [packs.{pack.pack}] {message}",
        origins=(place, pack),
        ways_out=ways_out,
    )
