"""An import finder that makes the names of the SDK importable, building modules on demand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType

from handrail_synapse.aliases import MODULES, ROOT, missing, public_names, resolve


class AliasFinder(MetaPathFinder, Loader):
    """Finds and builds the modules of the alias table; their names are resolved on first use."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an alias.

        Raises:
            ModuleNotFoundError: `fullname` is in the SDK's namespace but has no alias.
        """
        if fullname.partition(".")[0] != ROOT:
            return None
        if fullname in MODULES:
            # Every module is a package, so that `from module import unknown` calls this finder,
            # whose error says more than Python's.
            return ModuleSpec(fullname, self, origin="handrail_synapse", is_package=True)
        parent, _, name = fullname.rpartition(".")
        # With `fullname` as the name, `from module import unknown` would suppress the message.
        raise ModuleNotFoundError(missing(parent, name), name=ROOT)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        module.__doc__ = f"What `{name}` of the Synapse SDK offers, served by Handrail."
        vars(module).update(
            __all__=public_names(name),
            __getattr__=partial(_attribute, module),
            __dir__=partial(_directory, module),
        )


def _attribute(module: ModuleType, name: str) -> object:
    found = resolve(module.__name__, name)
    setattr(module, name, found)
    return found


def _directory(module: ModuleType) -> list[str]:
    return sorted({*vars(module), *public_names(module.__name__)})


_FINDER = AliasFinder()


def install() -> bool:
    """Make `synapse_sdk.plugins` and its modules importable as aliases of Handrail.

    If the real SDK is installed, this does nothing. Calling it again is harmless. Modules are
    imported on first use.

    Returns:
        Whether the aliases are in place; False if the real SDK is installed.
    """
    if _FINDER in sys.meta_path:
        return True
    if sdk_is_installed():
        return False
    # First, because an empty folder of that name would be found as a namespace package.
    sys.meta_path.insert(0, _FINDER)
    return True


def uninstall() -> None:
    """Remove the aliases; objects imported through them remain usable."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    # Imported again, it installs them again.
    sys.modules.pop("handrail_synapse.install", None)
    for name in MODULES:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and spec.loader is _FINDER:
            del sys.modules[name]


def sdk_is_installed() -> bool:
    """Return whether the real SDK can be imported."""
    if _FINDER in sys.meta_path:
        return False
    try:
        spec = find_spec(ROOT)
    except ValueError:
        return True  # A module without a spec, added to sys.modules by other code.
    if spec is None:
        return False
    if spec.origin is not None or spec.submodule_search_locations is None:
        return True
    # A folder without code, such as one left by an uninstalled package, is not the SDK.
    return PathFinder.find_spec("plugins", list(spec.submodule_search_locations)) is not None
