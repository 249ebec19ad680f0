"""Imports and validates the hooks of a pack, which then is a LoadedPack.

Failures become a PackError with cause and ways out. pluggy holds and calls the hooks, those of one
pack at a time, so that each answer has an origin.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pluggy

from handrail import hookspecs
from handrail.errors import HandrailError, PackError, Problem, describe
from handrail.frozen import frozen, replace
from handrail.hookspecs import PackInfo
from handrail.origin import Origin, source_of
from handrail.packs.configuration import Table
from handrail.packs.pack_settings import PackSecrets, read_settings
from handrail.packs.record import (
    EntryPoint,
    PackRecord,
    import_target,
    normalised,
    pack_error,
    ways_out_of,
)
from handrail.suggest import did_you_mean
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.events import Event

Observer = Callable[["Event"], None]
_USUAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


@frozen
class Hook:
    """One implementation of a hook.

    Attributes:
        name: Name of the hook.
        function: The function to call.
        parameters: Names of the arguments that it takes.
        origin: The pack, and the line of its source on which it is defined.
    """

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    origin: Origin


@frozen(eq=False)
class LoadedPack:
    """A pack whose hooks can be called.

    Attributes:
        id: Normalised distribution name.
        origin: The pack and its version.
        info: The result of its hook `pack_info`.
        hooks: Its hooks, by name.
        settings: An instance of its settings model, or a plain dict if it has none.
        variables: The variables that its settings are read from, whether they are set or not.
        secrets: The secrets among its settings.
        plugins: The modules or objects with its hooks.
        manager: Holds the hooks, also those of other packs.
    """

    id: str
    origin: Origin
    info: PackInfo
    hooks: Mapping[str, Hook]
    settings: Any
    variables: frozenset[str]
    secrets: PackSecrets
    plugins: Sequence[object] = field(repr=False)
    manager: pluggy.PluginManager = field(repr=False)
    _callers: dict[str, pluggy.HookCaller] = field(
        default_factory=dict[str, pluggy.HookCaller], repr=False
    )

    def implements(self, hook: str) -> bool:
        """Return whether the pack implements `hook`."""
        return hook in self.hooks

    def locate(self, hook: str) -> Origin:
        """Return the origin of a hook, with its source line; of the pack if it lacks the hook."""
        found = self.hooks.get(hook)
        return self.origin if found is None else found.origin

    def observer(self, keep: Callable[..., str] | None = None) -> Observer:
        """Return an observer that calls the hook `observe`, named after the pack.

        It is called within the loop over steps, so pluggy has no part in it.

        Args:
            keep: Keeps a text beside the run; None if nothing can be kept.
        """
        from handrail.events import StopObserving  # noqa: PLC0415 - a plan has no events

        hook = self.hooks["observe"]
        offered = {"settings": self.settings, "keep": keep or _keeps_nothing}
        taken = {name: value for name, value in offered.items() if name in hook.parameters}
        function = partial(hook.function, **taken)

        @calls_user_code
        def observe(event: Event) -> None:
            try:
                function(event=event) if "event" in hook.parameters else function()
            except StopObserving:
                raise
            except (Exception, SystemExit) as error:
                raise _raised(self.origin, hook, error) from error

        observe.__qualname__ = f"observe of {self.origin}"
        return observe

    @calls_user_code
    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook with all of its arguments but `settings`, and return its result.

        Raises:
            PackError: The hook raised; `__cause__` is that error, `origin` the hook's source line.
            KeyError: The pack has no such hook.
        """
        caller = self._callers.get(hook)
        if caller is None:
            if hook not in self.hooks:
                raise KeyError(hook)
            others = self.manager.get_plugins() - {*self.plugins}
            caller = self._callers[hook] = self.manager.subset_hook_caller(hook, others)
        try:
            answers = caller(**arguments, settings=self.settings)
        except (Exception, SystemExit) as error:
            if hook == "check_run" and isinstance(error, HandrailError):
                raise
            raise _raised(self.origin, self.hooks[hook], error) from error
        return answers[0] if answers else None


def _keeps_nothing(*_values: Any, **_more: Any) -> str:
    return "it is not kept: nothing is of this run"


def _raised(pack: Origin, hook: Hook, error: BaseException) -> PackError:
    return PackError(
        f"the hook {hook.name} of {pack} raised {type(error).__name__}: {describe(error)}",
        origin=hook.origin,
        ways_out=ways_out_of(pack),
    )


def load(
    record: PackRecord,
    table: Table,
    manager: pluggy.PluginManager | None = None,
    *,
    hooks: Iterable[EntryPoint] | None = None,
) -> LoadedPack:
    """Import and validate the hooks of a pack.

    Args:
        record: The pack.
        table: The values that are set for it.
        manager: Holds the hooks; None for one of their own.
        hooks: The modules of hooks; None for all that the pack has.

    Raises:
        PackError: The hooks cannot be imported or are not valid, or the pack needs a newer core.
        SettingsError: The pack's settings do not match its model.
    """
    modules = record.hooks if hooks is None else hooks
    plugins = [import_target(record, entry_point) for entry_point in modules]
    return _checked(plugins, record.id, record.origin, table, manager or new_manager())


def load_inline(
    plugin: object, name: str | None = None, *, settings: Mapping[str, Any] | None = None
) -> LoadedPack:
    """Load a module or object with hooks that is not an installed pack, for example in a test.

    Args:
        plugin: A module or object with hooks.
        name: Name of the pack; by default, the name of the module or class.
        settings: The pack's settings.

    Raises:
        PackError: A hook is not valid.
        SettingsError: The settings do not match the pack's model.
    """
    if isinstance(plugin, ModuleType):
        module, default = plugin.__name__, plugin.__name__
    else:
        holder = plugin if isinstance(plugin, type) else type(plugin)
        module, default = holder.__module__, holder.__qualname__.rpartition(".")[2]
    pack = normalised(name or default)
    origin = Origin(pack=pack, module=module)
    table = Table(values=settings or {}, source=lambda *_: f"settings of {pack}")
    return _checked([plugin], pack, origin, table, new_manager())


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of `handrail.hookspecs`."""
    manager = pluggy.PluginManager("handrail")
    manager.add_hookspecs(hookspecs)
    return manager


def _checked(
    plugins: Sequence[object],
    name: str,
    origin: Origin,
    table: Table,
    manager: pluggy.PluginManager,
) -> LoadedPack:
    hooks, problems = _read(plugins, origin)
    if problems:
        raise _invalid(origin, problems)
    for number, plugin in enumerate(plugins):
        try:
            manager.register(plugin, name=f"{name}#{number}" if number else name)
        except (pluggy.PluginValidationError, ValueError) as error:
            message = f"{origin}: its hooks are not usable: {describe(error)}"
            raise pack_error(message, origin) from error
    info = _info(hooks, origin)
    settings, variables, secrets = read_settings(table, info.settings, origin)
    return LoadedPack(
        id=name,
        origin=origin,
        info=info,
        hooks=hooks,
        settings=settings,
        variables=variables,
        secrets=secrets,
        plugins=plugins,
        manager=manager,
    )


def _read(plugins: Sequence[object], pack: Origin) -> tuple[dict[str, Hook], list[Problem]]:
    """Return the hooks of modules or objects by name, and all mistakes in them."""
    known = specs()
    hooks: dict[str, Hook] = {}
    problems: list[Problem] = []
    for attribute, function, options in (each for plugin in plugins for each in _functions(plugin)):
        if options is None and attribute not in known:
            continue
        marked = options or {}
        hook = _hook(marked.get("specname") or attribute, function, pack)
        if hook.name in known or not marked.get("optionalhook"):
            found = list(_mistakes(hook, options, known))
            if hook.name in hooks:
                found.append((f"the hook {hook.name} is there twice", "keep one of them"))
            problems += (_problem(hook, pack, *each) for each in found)
            hooks[hook.name] = hook
    return hooks, problems


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., Any], dict[str, Any] | None]]:
    """Yield name, function and options of functions that are marked or defined in the module."""
    holder = plugin if isinstance(plugin, ModuleType | type) else type(plugin)
    for name in dir(holder):
        # Statically, so that no property and no `__getattr__` of a lazy module runs.
        raw: object = inspect.getattr_static(holder, name, None)
        function = getattr(raw, "__func__", raw)
        if not inspect.isfunction(function):
            continue
        options = cast("dict[str, Any] | None", getattr(function, "handrail_impl", None))
        is_own = function.__module__ == getattr(
            plugin, "__name__" if isinstance(plugin, ModuleType) else "__module__", None
        )
        if options is not None or is_own:
            yield name, cast("Callable[..., Any]", getattr(plugin, name)), options


def _hook(name: str, function: Callable[..., Any], pack: Origin) -> Hook:
    inner = inspect.unwrap(function)
    module = str(getattr(inner, "__module__", ""))
    code = getattr(inner, "__code__", None)
    file = source_of(module, str(getattr(code, "co_filename", "")))
    line = getattr(code, "co_firstlineno", 0)
    return Hook(
        name=name,
        function=function,
        parameters=tuple(inspect.signature(function).parameters),
        origin=Origin(pack=pack.pack, version=pack.version, module=module, file=file, line=line),
    )


@cache
def specs() -> dict[str, tuple[str, ...]]:
    """Return the argument names of each existing hook."""
    return {
        name: tuple(inspect.signature(value).parameters)
        for name, value in vars(hookspecs).items()
        if hasattr(value, "handrail_spec")
    }


def _mistakes(
    hook: Hook, options: Mapping[str, Any] | None, known: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a hook, each time with the way out."""
    name = hook.name
    if options is None:
        hint = "put @hookimpl above it, or give it another name"
        yield f"{name} is named like a hook, but is not marked as one", hint
        return
    if name not in known:
        hint = did_you_mean(name, known) or f"the hooks are: {', '.join(known)}"
        yield f"there is no hook {name}", hint
        return
    for option in ("hookwrapper", "wrapper", "tryfirst", "trylast"):
        if options.get(option):
            hint = "each pack gives its own answer; PackInfo(after=[...]) in pack_info orders them"
            yield f"{name} has {option}=True, which no hook may have", hint
            return
    inner = inspect.unwrap(hook.function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        hint = "make it a plain function, and await in the step"
        yield f"{name} is async; hooks are called while a plan is made, not during a run", hint
    elif inspect.isgeneratorfunction(inner):
        yield f"{name} is a generator", "return a list instead of yielding"
    for parameter in inspect.signature(hook.function).parameters.values():
        yield from _of_parameter(name, parameter, known[name])


def _of_parameter(
    hook: str, parameter: inspect.Parameter, allowed: Sequence[str]
) -> Iterator[tuple[str, str]]:
    name = parameter.name
    if parameter.kind is not _USUAL or name not in allowed:
        takes = f"{hook} may take: {', '.join(allowed)}" if allowed else f"{hook} takes none"
        is_known = name in allowed
        what = " by name only" if is_known else ", which is not an argument of that hook"
        guess = "" if is_known else did_you_mean(name, allowed)
        yield f"{hook} takes '{name}'{what}", f"{guess} {takes}".strip()
    elif parameter.default is not parameter.empty:
        hint = f"write it without the default: {name}"
        yield f"{hook} has a default for '{name}', and would always get it", hint


def _problem(hook: Hook, pack: Origin, message: str, hint: str) -> Problem:
    return Problem(
        code="bad-hook",
        message=f"{pack}: {message}",
        origins=(hook.origin,),
        details=(hook.origin.place,),
        ways_out=(hint,),
    )


def _invalid(origin: Origin, problems: list[Problem]) -> PackError:
    problems = sorted(problems, key=lambda problem: problem.origins[0].line)
    # The ways out are shown once, after the last problem: all concern the same pack.
    last = problems[-1]
    problems[-1] = replace(last, ways_out=(*last.ways_out, *ways_out_of(origin)))
    count = "1 wrong hook" if len(problems) == 1 else f"{len(problems)} wrong hooks"
    return PackError(f"{origin} has {count}", problems=problems, origin=problems[0].origins[0])


@calls_user_code
def _info(hooks: Mapping[str, Hook], origin: Origin) -> PackInfo:
    hook = hooks.get("pack_info")
    if hook is None:
        return PackInfo()
    try:
        info: object = hook.function()
    except (Exception, SystemExit) as error:
        raise _raised(origin, hook, error) from error
    if not isinstance(info, PackInfo):
        message = f"pack_info of {origin} returned {info!r}; it has to return a PackInfo"
        raise pack_error(message, hook.origin)
    if info.settings is not None and not _is_model(info.settings):
        message = f"pack_info of {origin}: settings is {info.settings!r}; it has to be a model"
        raise pack_error(message, hook.origin, "derive its class from pydantic.BaseModel")
    names: dict[str, tuple[str, ...]] = {}
    for part in ("after", "before", "requires"):
        value: object = getattr(info, part)
        listed = list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else [0]
        if not all(isinstance(each, str) for each in listed):
            message = f"pack_info of {origin}: {part} is {value!r}; it has to be a list of packs"
            raise pack_error(message, hook.origin, f'{part}=["acme-scan"]')
        names[part] = tuple(normalised(str(each)) for each in listed)
    return PackInfo(settings=info.settings, **names)


def _is_model(given: object) -> bool:
    """Return whether `given` is a class of pydantic models; only a pack has imported pydantic."""
    base: Any = getattr(sys.modules.get("pydantic"), "BaseModel", ())
    return isinstance(given, type) and issubclass(given, base)
