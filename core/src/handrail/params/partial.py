"""Params with unknown values, while a plan is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import getattr_static
from typing import TYPE_CHECKING, Annotated, Any, cast

from handrail.errors import ParamsError, ParamsNeededError
from handrail.params.model import fields_of, model_in, paths_of
from handrail.params.secrets import given_secrets
from handrail.params.validation import raised, readable, unknown_fields
from handrail.params.values import KeyPath, value_at
from handrail.redact import KNOWN

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def partial(model: type[BaseModel], params: Mapping[str, Any], action: str) -> Any:
    """Return `params` as a PartialParams, or as the model if they are complete.

    Raises:
        ParamsError: A given value is not valid.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - only where a model is used

    KNOWN.learn(given_secrets(model, params))
    unknown = unknown_fields(model, params)
    try:
        made = model.model_validate(dict(params))
    except ValidationError as error:
        missing = [each["type"] == "missing" for each in error.errors(include_context=False)]
        lines = zip(readable(error, model), missing, strict=True)
        wrong = [line for line, is_missing in lines if not is_missing]
        if wrong or unknown:
            raise ParamsError(action, [*unknown, *wrong]) from None
        return PartialParams(model, params, action)
    except Exception as error:  # noqa: BLE001 - validators and defaults of the model
        # They may raise because a value is missing.
        known = PartialParams(model, params, action)
        if unknown or known.is_complete:
            raise ParamsError(action, [*unknown, raised(error, model, params)]) from None
        return known
    if unknown:
        raise ParamsError(action, unknown)
    return made


class PartialParams:
    """A proxy for params of which some are unknown, while a plan is made.

    Known values and defaults read as usual, and so do properties and methods that the model
    defines; reading a missing value raises ParamsNeededError.
    """

    def __init__(
        self, model: type[BaseModel], values: Mapping[str, Any], action: str, at: KeyPath = ()
    ) -> None:
        self.__dict__.update(_model=model, _action=action, _at=at)
        for name, info in fields_of(model).items():
            for path in reversed(paths_of(model, name)):
                found = value_at(values, path, self)
                if found is not self:
                    self.__dict__[name] = _known(info, found, action, (*at, *path))

    @property
    def is_complete(self) -> bool:
        """Whether every required field is known."""
        return not any(map(self._lacks, self._model.model_fields))

    def __getattr__(self, name: str) -> Any:
        model: type[BaseModel] = self._model
        info = model.model_fields.get(name)
        if info is not None and not info.is_required():
            value = self.__dict__[name] = _default(info, self.__dict__)
            return value
        if info is not None:
            raise self._needed((*self._at, *paths_of(model, name)[0]))
        own = getattr_static(model, name, None)
        if own is None:
            raise AttributeError(f"{model.__name__} has no field {name!r}")
        if hasattr(own, "__get__") and _is_own(model, name):
            return own.__get__(self, model)
        first = next(each for each in model.model_fields if self._lacks(each))
        raise self._needed((*self._at, *paths_of(model, first)[0]))

    def _lacks(self, name: str) -> bool:
        return name not in self.__dict__ and bool(self._model.model_fields[name].is_required())

    def _needed(self, path: KeyPath) -> ParamsNeededError:
        return ParamsNeededError(self._action, path)


def _known(info: FieldInfo, value: Any, action: str, at: KeyPath) -> Any:
    """Return a given value converted by its field, without the validators of the model."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only where a model is used

    inner = model_in(info.annotation)
    try:
        kind: Any = info.annotation
        if info.metadata:
            kind = Annotated[(kind, *info.metadata)]
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        if inner is not None and isinstance(value, Mapping):
            return PartialParams(inner, cast("Mapping[str, Any]", value), action, at)
        # The values may be secret.
        text = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ParamsError(action, [(".".join(at), text)]) from None
    except Exception:  # noqa: BLE001 - types that only the whole model can read
        pass
    return value


def _default(info: FieldInfo, known: dict[str, Any]) -> Any:
    if getattr(info, "default_factory_takes_validated_data", False):
        data = {name: value for name, value in known.items() if not name.startswith("_")}
        return info.get_default(call_default_factory=True, validated_data=data)
    if info.default_factory is not None:
        # Not get_default, which in some versions of pydantic needs validated data for any factory.
        return cast("Callable[[], Any]", info.default_factory)()
    return info.get_default()


def _is_own(model: type[BaseModel], name: str) -> bool:
    """Return whether the model of the action defines `name`, rather than pydantic."""
    owner = next(part for part in model.__mro__ if name in part.__dict__)
    return not owner.__module__.startswith("pydantic.")
