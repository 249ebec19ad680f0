"""Reads and validates the hooks of a pack when it is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any, cast

from handrail import hookspecs
from handrail.frozen import frozen
from handrail.origin import Origin, source_of
from handrail.suggest import did_you_mean

MARK = "handrail_impl"
_USUAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


@frozen
class Hook:
    """One implementation of a hook.

    Attributes:
        name: Name of the hook.
        function: The function to call.
        parameters: Names of the arguments that it takes.
        module: Dotted name of the module that defines it.
        file: Short path of its source.
        line: One-based line of its definition.
    """

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    module: str
    file: str
    line: int

    def origin(self, pack: Origin) -> Origin:
        """Return the origin of the definition, with the name and version of `pack`."""
        return Origin(
            pack=pack.pack,
            version=pack.version,
            module=self.module,
            file=self.file,
            line=self.line,
        )


@frozen
class Mistake:
    """An error in a hook function: the message, the place and the ways out."""

    message: str
    hint: str
    hook: Hook


@cache
def specs() -> dict[str, tuple[str, ...]]:
    """Return the argument names of each existing hook."""
    return {
        name: tuple(inspect.signature(value).parameters)
        for name, value in vars(hookspecs).items()
        if hasattr(value, "handrail_spec")
    }


def read_hooks(plugin: object) -> tuple[dict[str, Hook], list[Mistake]]:
    """Return the hooks of a module or object by name, and all errors in them."""
    known = specs()
    hooks: dict[str, Hook] = {}
    mistakes: list[Mistake] = []
    for attribute, function, options in _functions(plugin):
        if options is None:
            if attribute in known and not attribute.startswith("_"):
                mistakes.append(
                    Mistake(
                        message=f"{attribute} is named like a hook, but is not marked as one",
                        hint="put @hookimpl above it, or give it another name",
                        hook=_hook(attribute, function),
                    )
                )
            continue
        hook = _hook(options.get("specname") or attribute, function)
        if hook.name not in known:
            if not options.get("optionalhook"):
                mistakes.append(_unknown(hook, known))
            continue
        found = list(_check(hook, options, known[hook.name]))
        if hook.name in hooks:
            message = f"the hook {hook.name} is there twice"
            found.append(Mistake(message=message, hint="keep one of them", hook=hook))
        mistakes += found
        hooks[hook.name] = hook
    return hooks, mistakes


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., Any], dict[str, Any] | None]]:
    """Yield name, function and options of functions that are marked or defined in the module."""
    holder = plugin if isinstance(plugin, ModuleType | type) else type(plugin)
    for name in dir(holder):
        # Statically, so that no property and no `__getattr__` of a lazy module runs.
        raw: object = inspect.getattr_static(holder, name, None)
        function = getattr(raw, "__func__", raw)
        if not inspect.isfunction(function):
            continue
        options = cast("dict[str, Any] | None", getattr(function, MARK, None))
        is_own = function.__module__ == getattr(
            plugin, "__name__" if isinstance(plugin, ModuleType) else "__module__", None
        )
        if options is not None or is_own:
            yield name, cast("Callable[..., Any]", getattr(plugin, name)), options


def _hook(name: str, function: Callable[..., Any]) -> Hook:
    inner = inspect.unwrap(function)
    module = str(getattr(inner, "__module__", ""))
    code = getattr(inner, "__code__", None)
    return Hook(
        name=name,
        function=function,
        parameters=tuple(inspect.signature(function).parameters),
        module=module,
        file=source_of(module, str(getattr(code, "co_filename", ""))),
        line=getattr(code, "co_firstlineno", 0),
    )


def _unknown(hook: Hook, known: dict[str, tuple[str, ...]]) -> Mistake:
    return Mistake(
        message=f"there is no hook {hook.name}",
        hint=did_you_mean(hook.name, known) or f"the hooks are: {', '.join(known)}",
        hook=hook,
    )


def _check(hook: Hook, options: dict[str, Any], allowed: tuple[str, ...]) -> Iterator[Mistake]:
    def mistake(message: str, hint: str) -> Mistake:
        return Mistake(message=message, hint=hint, hook=hook)

    name = hook.name
    for option in ("hookwrapper", "wrapper"):
        if options.get(option):
            yield mistake(
                f"{name} is a hook wrapper ({option}=True), which could change answers of others",
                "make it a plain function that returns this pack's own answer",
            )
            return
    for option in ("tryfirst", "trylast"):
        if options.get(option):
            yield mistake(
                f"{name} has {option}=True, which has no effect here",
                "say which packs come before or after: return PackInfo(after=[...]) in pack_info",
            )
    inner = inspect.unwrap(hook.function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        yield mistake(
            f"{name} is async; hooks are called while a plan is made, not during a run",
            "make it a plain function, and await in the step",
        )
    elif inspect.isgeneratorfunction(inner):
        yield mistake(f"{name} is a generator", "return a list instead of yielding")
    for parameter in inspect.signature(hook.function).parameters.values():
        yield from _check_parameter(hook, parameter, allowed)


def _check_parameter(
    hook: Hook, parameter: inspect.Parameter, allowed: tuple[str, ...]
) -> Iterator[Mistake]:
    if parameter.kind is not _USUAL or parameter.name not in allowed:
        takes = f"may take: {', '.join(allowed)}" if allowed else "takes none"
        is_known = parameter.name in allowed
        what = " by name only" if is_known else ", which is not an argument of that hook"
        guess = "" if is_known else did_you_mean(parameter.name, allowed)
        yield Mistake(
            message=f"{hook.name} takes '{parameter.name}'{what}",
            hint=f"{guess} {hook.name} {takes}".strip(),
            hook=hook,
        )
    elif parameter.default is not parameter.empty:
        yield Mistake(
            message=f"{hook.name} has a default for '{parameter.name}', and would always get it",
            hint=f"write it without the default: {parameter.name}",
            hook=hook,
        )
