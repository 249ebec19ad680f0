"""The plugin manager: pluggy validates and registers the hooks of packs, but does not call them."""

from __future__ import annotations

import pluggy

from handrail import hookspecs


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of `handrail.hookspecs`."""
    manager = pluggy.PluginManager("handrail")
    manager.add_hookspecs(hookspecs)
    return manager


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Register `plugin` with `manager`, which validates its hooks.

    Raises:
        pluggy.PluginValidationError: A hook is not valid; our own checks usually find it first.
        ValueError: `plugin` is registered already.
    """
    manager.register(plugin, name=name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        manager.unregister(plugin)
        raise
