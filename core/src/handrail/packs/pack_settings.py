"""Merges the settings of a pack from all sources, and validates them with the pack's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from handrail.errors import Problem, SettingsError
from handrail.frozen import frozen
from handrail.origin import Origin
from handrail.packs.configuration import Table, Value, place_of
from handrail.params.conversion import from_json, from_text
from handrail.params.model import (
    KeyPath,
    fields_of,
    given_secrets,
    kind_at,
    merge,
    model_in,
    paths_of,
    secret_texts,
    secrets_of,
    set_path,
    touches,
    value_at,
)
from handrail.redact import KNOWN
from handrail.suggest import did_you_mean, near

if TYPE_CHECKING:
    from pydantic import BaseModel


@frozen
class PackSecrets:
    """The secrets among the settings of a pack.

    Attributes:
        pack: The id of the pack.
        texts: The secrets.
        variables: The variables that some of them were read from.
    """

    pack: str
    texts: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


def read_settings(
    table: Table, model: type[BaseModel] | None, pack: Origin
) -> tuple[Any, frozenset[str], PackSecrets]:
    """Return the settings of a pack, the variables that they are read from, and their secrets.

    The settings are an instance of `model`, or the plain values if there is none; the variables are
    all, whether set or not. A secret comes from its variable, or from who calls this: never from a
    flag or a file.

    Raises:
        SettingsError: A value is invalid, missing or unknown, or contradicts a policy; it has all
            problems.
    """
    joined = _Joined(table, model, pack)
    KNOWN.learn(given_secrets(model, joined.values))
    settings = joined.values if model is None else _instance(joined, model, pack)
    if joined.problems:
        count = len(joined.problems)
        several = "a setting that does" if count == 1 else f"{count} settings that do"
        raise SettingsError(f"{pack} has {several} not fit", problems=joined.problems)
    texts = tuple(secret_texts(model, settings))
    KNOWN.learn(texts)
    used = [name for name in joined.variables if table.variables.get(name)]
    secret = tuple(name for name in used if touches(joined.variables[name], joined.secrets))
    secrets = PackSecrets(pack=pack.pack or "", texts=texts, variables=secret)
    return settings, frozenset(joined.variables), secrets


def _instance(joined: _Joined, model: type[BaseModel], pack: Origin) -> Any:
    """Return an instance of the model; what does not fit is added to the problems."""
    from pydantic import ValidationError  # noqa: PLC0415 - the pack has loaded it

    unknown = _unknown(joined, model, pack)
    joined.problems += unknown
    try:
        return model.model_validate(joined.values)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] != "extra_forbidden" or not unknown:
                key = ".".join(map(str, each["loc"]))
                message = f"{key}: {each['msg']}" if key else each["msg"]
                joined.problems.append(_problem(joined.source, each["loc"], message, pack))
    return None


class _Joined:
    """The merged values of a pack; stronger sources override weaker ones.

    Attributes:
        values: The merged values, possibly nested.
        problems: The problems found while merging.
        variables: The path of each value that a variable gives, by the variable.
        secrets: The paths of the values that are secrets.
    """

    def __init__(self, table: Table, model: type[BaseModel] | None, pack: Origin) -> None:
        self.values: dict[str, Any] = {}
        merge(self.values, table.values)
        self.problems: list[Problem] = []
        self.variables: Mapping[str, KeyPath] = {}
        self.secrets = frozenset[KeyPath]()
        self._table = table
        self._model = model
        self._sources: dict[KeyPath, str] = {}
        if model is not None and table.prefix:
            self.variables = _variables_of(model, table.prefix)
            self.secrets = secrets_of(model)
        for path in self.secrets:
            if value_at(table.values, path, None) is not None:
                self._refuse(path, table.source(*path), pack)
        self._take_variables()
        for path, text in table.flags.items():
            if touches(path, self.secrets):
                KNOWN.learn([text])
                self._refuse(path, f"-p {pack.pack}.{'.'.join(path)}", pack)
                continue
            set_path(self.values, path, from_json(kind_at(model, path), text))
            self._sources[path] = f"-p {pack.pack}.{'.'.join(path)}"
        for path, fixed in table.fixed.items():
            self._fix(path, fixed, pack)

    def source(self, *path: str | int) -> str:
        """Return the source of a value: a variable, an option or a place in a file."""
        for end in range(len(path), 0, -1):
            found = self._sources.get(tuple(map(str, path[:end])))
            if found is not None:
                return found
        return self._table.source(*path)

    def _take_variables(self) -> None:
        prefix = self._table.prefix
        names = [each.removeprefix(prefix) for each in self.variables]
        for variable, text in self._table.variables.items():
            path = self.variables.get(variable)
            if path is not None:
                set_path(self.values, path, from_text(kind_at(self._model, path), text))
                self._sources[path] = variable
            elif match := next(iter(near(variable.removeprefix(prefix), names, limit=1)), None):
                # Others may be anybody's.
                self.problems.append(
                    Problem(
                        code="unknown-variable",
                        message=f"{variable}: there is no such variable",
                        origins=(Origin(file=variable),),
                        ways_out=(f"did you mean {prefix}{match}?",),
                    )
                )

    def _refuse(self, path: KeyPath, source: str, pack: Origin) -> None:
        """Add a problem for a secret from a source that others can read."""
        self._sources[path] = source
        assert self._model is not None
        own = path[0] in fields_of(self._model)  # By its name, where perhaps only an alias is read.
        read = (*paths_of(self._model, path[0])[0], *path[1:]) if own else path
        variable = f"{self._table.prefix}{'_'.join(read).upper()}"
        message = f"{'.'.join(path)} is a secret, which is read from the variable {variable} only"
        self.problems.append(_problem(self.source, path, message, pack))

    def _fix(self, path: KeyPath, fixed: Value[Any], pack: Origin) -> None:
        """Set a policy's value; a different value from another source is a problem."""
        own = value_at(self.values, path, fixed.value)
        if own != fixed.value:
            message = f"{'.'.join(path)} is {own!r}, and a policy sets it to {fixed.value!r}"
            way = f"remove it; the policy is {fixed.source}"
            self.problems.append(_problem(self.source, path, message, pack, way))
        set_path(self.values, path, fixed.value)
        self._sources[path] = fixed.source


def _variables_of(
    model: type[BaseModel], prefix: str, way: KeyPath = (), within: tuple[type, ...] = ()
) -> dict[str, KeyPath]:
    """Return the path of each field of `model`, by its variable."""
    found: dict[str, KeyPath] = {}
    for name, info in fields_of(model).items():
        path = (*way, *paths_of(model, name)[0])
        inner = model_in(info.annotation)
        if inner is not None and inner is not model and inner not in within:
            found |= _variables_of(inner, prefix, path, (*within, model))
        found[prefix + "_".join(path).upper()] = path
    return found


def _unknown(joined: _Joined, model: type[BaseModel], pack: Origin) -> list[Problem]:
    """Return a problem for each key unknown to the model, which pydantic may ignore."""
    if model.model_config.get("extra") == "allow":
        return []
    known = {way[0] for name in model.model_fields for way in (*paths_of(model, name), (name,))}
    return [
        _problem(
            joined.source,
            (key,),
            f"there is no setting {key}",
            pack,
            did_you_mean(key, sorted(known)) or f"it has: {', '.join(sorted(known))}",
        )
        for key in joined.values
        if key not in known
    ]


def _problem(
    source: Callable[..., str],
    path: tuple[str | int, ...],
    message: str,
    pack: Origin,
    *ways_out: str,
) -> Problem:
    found = source(*path)
    return Problem(
        code="bad-setting",
        message=f"{found}: [packs.{pack.pack}] {message}",
        origins=(place_of(found), pack),
        ways_out=ways_out,
    )
