"""Merges the settings of a pack from all sources, and validates them with the pack's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from handrail.errors import Problem, SettingsError
from handrail.frozen import frozen
from handrail.origin import Origin
from handrail.packs.choices import Table, Value, place_of
from handrail.params.conversion import from_json, from_text
from handrail.params.model import fields_of, kind_at, model_in, paths_of
from handrail.params.secrets import given_secrets, secret_texts, secrets_of, touches
from handrail.params.values import KeyPath, merge, set_path, value_at
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


NO_SECRETS = PackSecrets(pack="")


def validated(table: Table, model: type[BaseModel] | None, pack: Origin) -> Any:
    """Return an instance of `model` with the values; the plain values if there is no model.

    A secret comes from its variable, or from who calls this: never from a flag or a file.

    Raises:
        SettingsError: A value is invalid, missing or unknown, or contradicts a policy; it has all
            problems.
    """
    joined = _Joined(table, model, pack)
    KNOWN.learn(given_secrets(model, joined.values))
    problems = joined.problems
    if model is None:
        if problems:
            raise _error(problems, pack)
        return joined.values
    from pydantic import ValidationError  # noqa: PLC0415 - the pack has loaded it

    problems += _unknown(joined.values, model, pack, joined.source)
    try:
        settings = model.model_validate(joined.values)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            if each["type"] == "extra_forbidden":
                continue
            key = ".".join(map(str, each["loc"]))
            message = f"{key}: {each['msg']}" if key else each["msg"]
            problems.append(_problem(joined.source, each["loc"], message, pack))
    else:
        if not problems:
            KNOWN.learn(secret_texts(model, settings))
            return settings
    raise _error(problems, pack)


def _error(problems: list[Problem], pack: Origin) -> SettingsError:
    count = "a setting that does" if len(problems) == 1 else f"{len(problems)} settings that do"
    return SettingsError(f"{pack} has {count} not fit", problems=problems)


class _Joined:
    """The merged values of a pack; stronger sources override weaker ones.

    Attributes:
        values: The merged values, possibly nested.
        problems: The problems found while merging.
    """

    def __init__(self, table: Table, model: type[BaseModel] | None, pack: Origin) -> None:
        self.values: dict[str, Any] = {}
        merge(self.values, table.values)
        self.problems: list[Problem] = []
        self._table = table
        self._model = model
        self._sources: dict[KeyPath, str] = {}
        secrets = frozenset[KeyPath]() if model is None or not table.prefix else secrets_of(model)
        for path in secrets:
            if value_at(table.values, path, None) is not None:
                self._refuse(path, table.source(*path), pack)
        if model is not None:
            self._take_variables(model)
        for path, text in table.flags.items():
            if touches(path, secrets):
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

    def _take_variables(self, model: type[BaseModel]) -> None:
        known = _variables_of(model)
        for variable, text in self._table.variables.items():
            name = variable.removeprefix(self._table.prefix)
            if name in known:
                path = known[name]
                set_path(self.values, path, from_text(kind_at(model, path), text))
                self._sources[path] = variable
            else:
                self.problems += _misspelt(variable, name, known, self._table.prefix)

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


def variables_of(table: Table, model: type[BaseModel] | None) -> frozenset[str]:
    """Return the variables that the settings of a pack are read from, whether set or not."""
    if model is None or not table.prefix:
        return frozenset()
    return frozenset(f"{table.prefix}{name}" for name in _variables_of(model))


def secrets_among(
    table: Table, model: type[BaseModel] | None, settings: object, pack: str
) -> PackSecrets:
    """Return the secrets among the validated settings of a pack, and their variables."""
    if model is None:
        return PackSecrets(pack=pack, texts=tuple(secret_texts(None, settings)))
    secrets = secrets_of(model)
    paths = {f"{table.prefix}{name}": path for name, path in _variables_of(model).items()}
    return PackSecrets(
        pack=pack,
        texts=tuple(secret_texts(model, settings)),
        variables=tuple(
            variable
            for variable, path in paths.items()
            if table.variables.get(variable) and touches(path, secrets)
        ),
    )


def _variables_of(
    model: type[BaseModel], prefix: KeyPath = (), within: tuple[type, ...] = ()
) -> dict[str, KeyPath]:
    """Return the path of each field of `model`, by its variable's name without the prefix."""
    found: dict[str, KeyPath] = {}
    for name, info in fields_of(model).items():
        path = (*prefix, *paths_of(model, name)[0])
        inner = model_in(info.annotation)
        if inner is not None and inner is not model and inner not in within:
            found |= _variables_of(inner, path, (*within, model))
        found["_".join(path).upper()] = path
    return found


def _misspelt(variable: str, name: str, known: Mapping[str, KeyPath], prefix: str) -> list[Problem]:
    """Return a problem if a variable looks like a misspelt one; others are ignored."""
    matches = near(name, known, limit=1)
    return [
        Problem(
            code="unknown-variable",
            message=f"{variable}: there is no such variable",
            origins=(Origin(file=variable),),
            ways_out=(f"did you mean {prefix}{match}?",),
        )
        for match in matches
    ]


def _unknown(
    values: Mapping[str, Any], model: type[BaseModel], pack: Origin, source: Callable[..., str]
) -> list[Problem]:
    """Return a problem for each key unknown to the model, which pydantic may ignore."""
    if model.model_config.get("extra") == "allow":
        return []
    fields = model.model_fields
    known = {*fields, *(each.alias for each in fields.values() if each.alias)}
    if any(each.validation_alias not in (None, each.alias) for each in fields.values()):
        # Fields with several aliases are left to the model.
        return []
    return [
        _problem(
            source,
            (key,),
            f"there is no setting {key}",
            pack,
            did_you_mean(key, sorted(known)) or f"it has: {', '.join(sorted(known))}",
        )
        for key in values
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
