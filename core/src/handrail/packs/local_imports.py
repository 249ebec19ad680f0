"""Imports modules from folders of local code, refusing files of users that are not trusted.

Python itself would run any module beside a file, including one that another user has put there or
compiled into `__pycache__`.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING, Any

from handrail.errors import LocalCodeError
from handrail.settings.trust import distrust, read_file, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from _typeshed import ReadableBuffer

_COMPILED = tuple(BYTECODE_SUFFIXES)

_folders: set[str] = set()


def search(folder: str) -> None:
    """Put `folder` first on `sys.path`; modules imported from it must be trusted files."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    _guard(folder)


def spec_of(name: str, file: str) -> ModuleSpec | None:
    """Return a spec to import `file` as the module `name`; None if it is not a Python file."""
    for loader, suffixes in _LOADERS:
        if file.endswith(tuple(suffixes)):
            return spec_from_file_location(name, file, loader=loader(name, file))
    return None


def _guard(folder: str) -> None:
    if folder not in _folders:
        _folders.add(folder)
        if _finder_of not in sys.path_hooks:
            sys.path_hooks.insert(0, _finder_of)
        sys.path_importer_cache.pop(folder, None)


def _finder_of(folder: str) -> _Finder:
    if folder not in _folders:
        raise ImportError(f"{folder} has no local code", path=folder)
    return _Finder(folder, *_LOADERS)


class _Finder(FileFinder):
    """Finds modules in a folder, and in the packages of that folder."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = super().find_spec(fullname, target)
        for folder in (spec and spec.submodule_search_locations) or ():
            _guard(folder)
        return spec


class _SourceLoader(SourceFileLoader):
    def path_stats(self, path: str) -> Mapping[str, Any]:
        # Called first for each module, even if the source file is not read then.
        refuse(path, error=LocalCodeError)
        return super().path_stats(path)

    def get_data(self, path: str) -> bytes:
        raw, found = read_file(path)
        if found is not None and path == self.path:
            raise LocalCodeError(found.message, ways_out=found.ways_out)
        if found is not None and path.endswith(_COMPILED):
            raise PermissionError(found.message)  # Python then uses the source.
        return raw

    def set_data(self, path: str, data: ReadableBuffer, *, _mode: int = 0o666) -> None:
        if distrust(os.path.dirname(path)) is None:
            super().set_data(path, data, _mode=_mode)


class _BytecodeLoader(SourcelessFileLoader):
    def get_data(self, path: str) -> bytes:
        raw, found = read_file(path)
        if found is not None:
            raise LocalCodeError(found.message, ways_out=found.ways_out)
        return raw


class _ExtensionLoader(ExtensionFileLoader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        refuse(self.path, error=LocalCodeError)
        return super().create_module(spec)


_LOADERS: tuple[tuple[type[Any], list[str]], ...] = (
    (_ExtensionLoader, EXTENSION_SUFFIXES),
    (_SourceLoader, SOURCE_SUFFIXES),
    (_BytecodeLoader, BYTECODE_SUFFIXES),
)
