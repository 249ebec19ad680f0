"""The plugin manager: pluggy checks and holds the hooks of packs; it does not call them."""

from __future__ import annotations

import pluggy

from handrail import hookspecs


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of `handrail.hookspecs`."""
    manager = pluggy.PluginManager("handrail")
    manager.add_hookspecs(hookspecs)
    return manager


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    """Have `manager` check `plugin` and hold it.

    Raises:
        pluggy.PluginValidationError: A hook does not fit; our own checks usually say so before.
        ValueError: It is registered already.
    """
    manager.register(plugin, name=name)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        manager.unregister(plugin)
        raise
