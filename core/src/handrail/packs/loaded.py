"""LoadedPack: a pack whose hooks have been imported and validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from handrail.engine.user_code import calls_user_code
from handrail.errors import PackError, describe
from handrail.origin import Origin
from handrail.packs.hooks import Hook, specs
from handrail.packs.record import ways_out

if TYPE_CHECKING:
    from handrail.hookspecs import ActionInfo, PackInfo
    from handrail.steps import BaseStep


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedPack:
    """A pack whose hooks can be called.

    Attributes:
        id: Normalised distribution name.
        origin: The pack and its version.
        info: The result of its hook `pack_info`.
        hooks: Its hooks, by name.
        settings: An instance of its settings model, or a plain dict if it has none.
    """

    id: str
    origin: Origin
    info: PackInfo
    hooks: Mapping[str, Hook]
    settings: Any
    _calls: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = field(
        default_factory=dict[str, tuple[Callable[..., Any], tuple[str, ...]]],
        init=False,
        repr=False,
    )

    def __post_init__(self) -> None:
        # Hooks are called for every step, so the arguments of each are computed once.
        for name, hook in self.hooks.items():
            function: Callable[..., Any] = hook.function
            if "settings" in hook.parameters:
                function = partial(function, settings=self.settings)
            left_out = set(specs()[name]) - {*hook.parameters, "settings"}
            self._calls[name] = (function, tuple(left_out))

    def implements(self, hook: str) -> bool:
        """Return whether the pack implements `hook`."""
        return hook in self.hooks

    def locate(self, hook: str) -> Origin:
        """Return the origin of a hook, with its source line; of the pack if it lacks the hook."""
        found = self.hooks.get(hook)
        return self.origin if found is None else found.origin(self.origin)

    @calls_user_code
    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook with those of `arguments` and `settings` that it takes; return its result.

        Raises:
            PackError: The hook raised; `__cause__` is that error, `origin` the hook's source line.
            KeyError: The pack has no such hook.
        """
        function, left_out = self._calls[hook]
        for name in left_out:
            arguments.pop(name, None)
        try:
            return function(**arguments)
        except (Exception, SystemExit) as error:
            raise hook_error(self.origin, self.hooks[hook], error) from error

    def about_steps(self, hook: str) -> Callable[[ActionInfo, BaseStep[Any]], Any]:
        """Return `call` for one hook as a function of action and step, for loops over all steps.

        Raises:
            KeyError: The pack has no such hook.
        """
        function, left_out = self._calls[hook]
        if "step" in left_out:
            return lambda action, step: self.call(hook, action=action, step=step)
        plain = not left_out

        @calls_user_code
        def ask(action: ActionInfo, step: BaseStep[Any]) -> Any:
            try:
                return function(action=action, step=step) if plain else function(step=step)
            except (Exception, SystemExit) as error:
                raise hook_error(self.origin, self.hooks[hook], error) from error

        return ask


def hook_error(pack: Origin, hook: Hook, error: BaseException) -> PackError:
    """Return the error for a hook of `pack` that raised `error`."""
    return PackError(
        f"the hook {hook.name} of {pack} raised {type(error).__name__}: {describe(error)}",
        origin=hook.origin(pack),
        ways_out=ways_out_of(pack),
    )


def ways_out_of(pack: Origin) -> tuple[str, ...]:
    """Return ways out for a problem with `pack`; none for an object that is not installed."""
    return ways_out(pack.pack) if pack.pack and pack.version else ()
