"""Makes the names of the SDK importable: a finder that builds its modules when asked for them."""

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
    """Finds and builds the modules of the alias table; their names are looked up on first use."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an alias.

        Raises:
            ModuleNotFoundError: It belongs to the SDK, but there is no alias for it.
        """
        if fullname.partition(".")[0] != ROOT:
            return None
        if fullname in MODULES:
            # All of them are packages, so that `from module import unknown` comes by here, where
            # the answer may say more than Python's own.
            return ModuleSpec(fullname, self, origin="handrail_synapse", is_package=True)
        parent, _, name = fullname.rpartition(".")
        # With `fullname` as its name, `from module import unknown` would swallow the message.
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
    """Make `synapse_sdk.plugins` and what belongs to it importable as aliases of Handrail.

    Where the real SDK is installed, nothing is done. Calling it again is harmless, and nothing is
    imported before it is used.

    Returns:
        Whether the aliases are in place; False means that the real SDK is there.
    """
    if _FINDER in sys.meta_path:
        return True
    if _sdk_is_installed():
        return False
    # In front, because an empty folder of that name would be found as a namespace package.
    sys.meta_path.insert(0, _FINDER)
    return True


def uninstall() -> None:
    """Take the aliases away again; what was imported through them stays usable."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for name in MODULES:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None and spec.loader is _FINDER:
            del sys.modules[name]


def _sdk_is_installed() -> bool:
    try:
        spec = find_spec(ROOT)
    except ValueError:
        return True  # Somebody put a module without a spec there.
    if spec is None:
        return False
    if spec.origin is not None or spec.submodule_search_locations is None:
        return True
    # A folder without code in it, such as an uninstalled package leaves behind, is no SDK.
    return PathFinder.find_spec("plugins", list(spec.submodule_search_locations)) is not None
