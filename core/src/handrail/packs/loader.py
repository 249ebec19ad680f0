"""Imports and validates the hooks of a pack, which then is a LoadedPack.

Failures become a PackError with cause and ways out. pluggy holds and calls the hooks, those of one
pack at a time, so that each answer has an origin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pluggy

from handrail import hookspecs
from handrail.errors import HandrailError, PackError, Problem, describe
from handrail.frozen import frozen, replace
from handrail.hookspecs import PackInfo
from handrail.origin import Origin
from handrail.packs.choices import Table
from handrail.packs.entry_points import import_target, pack_error, ways_out_of
from handrail.packs.hooks import Hook, Mistake, read_hooks
from handrail.packs.pack_settings import (
    NO_SECRETS,
    PackSecrets,
    secrets_among,
    validated,
    variables_of,
)
from handrail.packs.record import EntryPoint, PackRecord, normalised
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.events import Event

Observer = Callable[["Event"], None]


@frozen(eq=False)
class LoadedPack:
    """A pack whose hooks can be called.

    Attributes:
        id: Normalised distribution name.
        origin: The pack and its version.
        info: The result of its hook `pack_info`.
        hooks: Its hooks, by name.
        settings: An instance of its settings model, or a plain dict if it has none.
        plugins: The modules or objects with its hooks.
        manager: Holds the hooks, also those of other packs.
        variables: The variables that its settings are read from, whether they are set or not.
        secrets: The secrets among its settings.
    """

    id: str
    origin: Origin
    info: PackInfo
    hooks: Mapping[str, Hook]
    settings: Any
    plugins: tuple[object, ...] = field(repr=False)
    manager: pluggy.PluginManager = field(repr=False)
    variables: frozenset[str] = frozenset()
    secrets: PackSecrets = NO_SECRETS
    _callers: dict[str, pluggy.HookCaller] = field(
        default_factory=dict[str, pluggy.HookCaller], repr=False
    )

    def implements(self, hook: str) -> bool:
        """Return whether the pack implements `hook`."""
        return hook in self.hooks

    def locate(self, hook: str) -> Origin:
        """Return the origin of a hook, with its source line; of the pack if it lacks the hook."""
        found = self.hooks.get(hook)
        return self.origin if found is None else found.origin(self.origin)

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
                raise hook_error(self.origin, hook, error) from error

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
            raise hook_error(self.origin, self.hooks[hook], error) from error
        return answers[0] if answers else None


def _keeps_nothing(*_values: Any, **_more: Any) -> str:
    return "it is not kept: nothing is of this run"


def hook_error(pack: Origin, hook: Hook, error: BaseException) -> PackError:
    """Return the error for a hook of `pack` that raised `error`."""
    return PackError(
        f"the hook {hook.name} of {pack} raised {type(error).__name__}: {describe(error)}",
        origin=hook.origin(pack),
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
    plugins = tuple(import_target(record, entry_point) for entry_point in modules)
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
    return _checked((plugin,), pack, origin, table, new_manager())


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of `handrail.hookspecs`."""
    manager = pluggy.PluginManager("handrail")
    manager.add_hookspecs(hookspecs)
    return manager


def _checked(
    plugins: tuple[object, ...],
    name: str,
    origin: Origin,
    table: Table,
    manager: pluggy.PluginManager,
) -> LoadedPack:
    hooks: dict[str, Hook] = {}
    mistakes: list[Mistake] = []
    for number, plugin in enumerate(plugins):
        found, wrong = read_hooks(plugin)
        mistakes += wrong
        for twice in hooks.keys() & found.keys():
            message = f"two modules of the pack have the hook {twice}"
            hint = "keep one, and let it do the work of both"
            mistakes.append(Mistake(message=message, hint=hint, hook=found[twice]))
        hooks |= found
        if not mistakes:
            _hold(manager, plugin, f"{name}#{number}" if number else name, origin)
    if mistakes:
        raise _invalid(origin, mistakes)
    info = _info(hooks, origin)
    settings = validated(table, info.settings, origin)
    return LoadedPack(
        id=name,
        origin=origin,
        info=info,
        hooks=hooks,
        settings=settings,
        plugins=plugins,
        manager=manager,
        variables=variables_of(table, info.settings),
        secrets=secrets_among(table, info.settings, settings, name),
    )


def _hold(manager: pluggy.PluginManager, plugin: object, name: str, origin: Origin) -> None:
    try:
        manager.register(plugin, name=name)
    except (pluggy.PluginValidationError, ValueError) as error:
        message = f"{origin}: its hooks are not usable: {describe(error)}"
        raise pack_error(message, origin) from error


def _invalid(origin: Origin, mistakes: list[Mistake]) -> PackError:
    mistakes = sorted(mistakes, key=lambda mistake: mistake.hook.line)
    problems = [
        Problem(
            code="bad-hook",
            message=f"{origin}: {mistake.message}",
            origins=(mistake.hook.origin(origin),),
            details=(mistake.hook.origin(origin).place,),
            ways_out=(mistake.hint,),
        )
        for mistake in mistakes
    ]
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
        raise hook_error(origin, hook, error) from error
    place = hook.origin(origin)
    if not isinstance(info, PackInfo):
        message = f"pack_info of {origin} returned {info!r}; it has to return a PackInfo"
        raise pack_error(message, place)
    if info.settings is not None and not _is_model(info.settings):
        message = f"pack_info of {origin}: settings is {info.settings!r}; it has to be a model"
        raise pack_error(message, place, "derive its class from pydantic.BaseModel")
    return PackInfo(
        after=_names(info.after, "after", origin, place),
        before=_names(info.before, "before", origin, place),
        requires=_names(info.requires, "requires", origin, place),
        settings=info.settings,
    )


def _is_model(given: object) -> bool:
    """Return whether `given` is a class of pydantic models; only a pack has imported pydantic."""
    base: Any = getattr(sys.modules.get("pydantic"), "BaseModel", ())
    return isinstance(given, type) and issubclass(given, base)


def _names(value: object, field: str, origin: Origin, place: Origin) -> tuple[str, ...]:
    """Return the pack ids in a field of PackInfo, after checking its type."""
    names: list[Any] = []
    if isinstance(value, Iterable) and not isinstance(value, str):
        names = list(cast("Iterable[str]", value))
    if (value and not names) or not all(isinstance(each, str) for each in names):
        message = f"pack_info of {origin}: {field} is {value!r}; it has to be a list of packs"
        raise pack_error(message, place, f'{field}=["acme-scan"]')
    return tuple(normalised(each) for each in names)
