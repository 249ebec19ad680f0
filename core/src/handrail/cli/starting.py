"""What a command is spared while it starts: collections of garbage, and searches for plugins."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.cli.session import Session


@contextmanager
def making(session: Session) -> Generator[None]:
    """Import an action, or make its params and its plan, within the block at less cost."""
    with no_collections(), no_plugin_search(session.packs.plugin_free):
        yield


@contextmanager
def no_collections() -> Generator[None]:
    """Collect no garbage within the block, which imports modules, and pass over them later.

    They stay, and each collection among them takes milliseconds; so would the one that follows, if
    they were new to it. It is within `few_collections`, which ends that.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()


_is_within = False  # `few_collections`


@contextmanager
def few_collections(*, to_the_end: bool = False) -> Generator[None]:
    """Pass over what is there now, in each collection within the block.

    Those are nearly all modules, which stay; with them, collections take a twentieth of a run that
    looks at many files. Within another such block, that one ends it.

    Args:
        to_the_end: Whether the process ends after the block. Python then collects what is left of
            all modules, which takes as long as to make a plan. That is passed over, too, unless a
            file has been opened and is not closed: its last lines may be written only then.
    """
    global _is_within  # noqa: PLW0603 - like the collector, it is one for the process
    if _is_within:
        gc.freeze()
        yield
        return
    # Some that Python 3.12 has itself, or those of the caller. To count many takes milliseconds.
    others = gc.get_freeze_count()
    files = _open_files() if to_the_end else None
    gc.freeze()
    _is_within = True
    try:
        yield
    finally:
        _is_within = False
        if to_the_end:
            stays = files is not None and files == _open_files()
        else:
            stays = others > 0
        if not stays:
            gc.unfreeze()


def _open_files() -> set[str] | None:
    """Return the descriptors of all open files, with that of the listing; None if unknown."""
    try:
        return set(os.listdir("/dev/fd"))
    except OSError:
        return None


_LOADER = "pydantic.plugin._loader"


@contextmanager
def no_plugin_search(plugin_free: Sequence[str] | None) -> Generator[None]:
    """Let pydantic look for no plugins within the block, as it is known that there are none.

    It would read the entry points of all distributions when the first validator is built. To import
    what reads them takes a fifth of an import of pydantic, and `PYDANTIC_DISABLE_PLUGINS` does not
    spare that. A version of pydantic that does it elsewhere is only slower.

    Args:
        plugin_free: The path on which there are none; None if there may be some.
    """
    if plugin_free is None or _LOADER in sys.modules:
        yield
        return
    stand_in = sys.modules[_LOADER] = _NoPlugins(plugin_free)
    try:
        yield
    finally:
        if sys.modules.get(_LOADER) is stand_in:
            del sys.modules[_LOADER]


class _NoPlugins(ModuleType):
    """Stands in for pydantic's loader of plugins, and gives way to it where it has to."""

    def __init__(self, plugin_free: Sequence[str]) -> None:
        super().__init__(_LOADER)
        self._plugin_free = plugin_free

    def get_plugins(self) -> Any:
        # Local code may have added to the path.
        if sys.path == self._plugin_free:
            return ()
        return self._real().get_plugins()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Import looks for those of a module.
        return getattr(self._real(), name)

    def _real(self) -> Any:
        if sys.modules.get(_LOADER) is self:
            del sys.modules[_LOADER]
        return import_module(_LOADER)
