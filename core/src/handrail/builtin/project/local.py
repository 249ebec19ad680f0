"""Imports code that is not installed: files, and modules beside them.

Python itself would run any module beside a file, including one that another user has put there or
compiled into `__pycache__`. So a finder of its own refuses local code of users who are not trusted.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import BYTECODE_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain, count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from handrail import Origin
from handrail.errors import LocalCodeError, NotFoundError, describe
from handrail.frozen import frozen
from handrail.inspection import raised_at
from handrail.packs import LOCAL, EntryPoint, PackRecord
from handrail.suggest import did_you_mean
from handrail.trust import distrust, read_file, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer


_COMPILED = tuple(BYTECODE_SUFFIXES)

# Folders whose modules must be trusted files.
_folders: set[str] = set()


@frozen
class LocalObject:
    """Something in the project's own files that a pack looks up by its name.

    Attributes:
        name: Its name.
        target: Its location, such as `formats.py:Xml`.
        origin: File and line of the settings that name it.
        folder: The folder of the project.
    """

    name: str
    target: str
    origin: Origin
    folder: str

    def load(self) -> Any:
        """Import and return it.

        Raises:
            NotFoundError: The file or module does not exist, or has no such attribute.
            LocalCodeError: The file or module cannot be imported, or cannot be trusted.
        """
        record = PackRecord(id=LOCAL, name=LOCAL, location=self.folder, is_local=True)
        entry = EntryPoint(group="", name=self.name, value=self.target)
        return import_local(record, entry, self.origin)


def file_of(record: PackRecord, entry: EntryPoint) -> Path | None:
    """Return the project's file to which a local name leads; None if it is a module."""
    is_file = record.is_local and entry.module.endswith(".py")
    return Path(record.location, entry.module) if is_file else None


def import_local(record: PackRecord, entry: EntryPoint, origin: Origin) -> Any:
    """Import and return the object of one of the project's names.

    Raises:
        NotFoundError: The file or module does not exist, or has no such attribute.
        LocalCodeError: The file or module could not be imported.
    """
    folder = Path(record.location)
    file = file_of(record, entry)
    module = (
        import_module(entry.module, folder)
        if file is None
        else import_file(str(file), folder, shown=entry.module)
    )
    found: Any = module
    for name in entry.attribute.split("."):
        if not hasattr(found, name):
            raise NotFoundError(
                f"{entry.module} has no {name}, which {origin.place} names",
                origin=origin,
                ways_out=(did_you_mean(name, vars(module)),),
            )
        found = getattr(found, name)
    return found


def import_file(name: str, folder: Path, *, shown: str = "") -> ModuleType:
    """Import a Python file, with its folder on `sys.path`.

    Args:
        name: Path of the file.
        folder: Folder in which it was searched, for messages.
        shown: Name of the file in messages; by default, `name`.

    Raises:
        NotFoundError: The file does not exist.
        LocalCodeError: The file could not be imported; or the file, or a module that it imports
            from its folder, cannot be trusted.
    """
    path = Path(name)
    shown = shown or name
    if path.is_dir():
        raise LocalCodeError(
            f"{shown} is a directory; run takes an action in a file",
            ways_out=(f"for example: handrail run {path / 'flows.py'}:NAME",),
        )
    if not path.exists():
        raise NotFoundError(
            f"there is no file {shown} (looked in {folder})",
            ways_out=(_near_files(path),),
        )
    module_name = _module_name(path)
    known = sys.modules.get(module_name)
    if known is not None:
        return known
    refuse(path, error=LocalCodeError)
    spec = spec_from_file_location(module_name, str(path.resolve()))
    if spec is None or spec.loader is None:
        raise LocalCodeError(f"{shown} is not a Python file")
    module = module_from_spec(_trusted(spec))
    search(str(path.resolve().parent))
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[module_name]
        if isinstance(error, KeyboardInterrupt | LocalCodeError):
            raise
        raise _not_imported(shown, path.resolve(), error) from error
    return module


def _module_name(path: Path) -> str:
    """Return a module name for a file: its stem, or another name if that is taken (json.py)."""
    name = path.stem.encode("utf-8", "replace").decode()
    for candidate in chain((name, f"local_{name}"), (f"local_{name}_{each}" for each in count(2))):
        known = sys.modules.get(candidate)
        if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
            return candidate
        if known is None and candidate not in sys.stdlib_module_names:
            return candidate
    raise AssertionError(name)


def _near_files(path: Path) -> str:
    folder = path.parent
    names = [each.name for each in folder.glob("*.py")] if folder.is_dir() else []
    return did_you_mean(path.name, names)


def import_module(name: str, folder: Path) -> ModuleType:
    """Import a module, with `folder` on `sys.path`.

    Raises:
        NotFoundError: The module does not exist.
        LocalCodeError: The module could not be imported, or is in `folder` and cannot be trusted.
    """
    search(str(folder))
    try:
        return importlib.import_module(name)
    except (KeyboardInterrupt, LocalCodeError):
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotFoundError(
                f"there is no module {name}, nor a pack of that name",
                ways_out=(
                    f"for a file: handrail run {name.replace('.', '/')}.py:NAME",
                    f"searched: {folder} and the packages of {sys.prefix}",
                ),
            ) from None
        raise _not_imported(name, None, error) from error
    except BaseException as error:
        raise _not_imported(name, None, error) from error


def _not_imported(name: str, path: Path | None, error: BaseException) -> LocalCodeError:
    own = None if path is None else raised_at(error, lambda at: at.f_code.co_filename == str(path))
    found = own or raised_at(error, lambda _: True)
    where = f" ({Path(found.file).name}:{found.line})" if found is not None else ""
    return LocalCodeError(
        f"{name} could not be imported{where}: {type(error).__name__}: {describe(error)}",
        ways_out=("--debug shows the traceback",),
    )


def search(folder: str) -> None:
    """Put `folder` first on `sys.path`; modules imported from it must be trusted files."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _Finder)
    _folders.add(folder)


def is_searched(folder: str) -> bool:
    """Return whether modules from `folder` must be trusted files; see `search`."""
    return folder in _folders


class _Finder:
    """Finds the modules of searched folders, and of packages there, if their files are trusted."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        inside = [] if spec is None else list(spec.submodule_search_locations or ())
        found = inside or [(spec and spec.origin) or ""]
        if spec is None or not any(os.path.dirname(each) in _folders for each in found):
            return None
        _folders.update(inside)
        return _trusted(spec)


def _trusted(spec: ModuleSpec) -> ModuleSpec:
    """Return a specification of a module in a trusted file, which is looked at when it is read."""
    if spec.origin is not None:
        refuse(spec.origin, error=LocalCodeError)
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.name, spec.origin)
    return spec


class _Loader(SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        raw, found = read_file(path)
        if found is not None and path.endswith(_COMPILED):
            raise PermissionError(found.message)  # Python then uses the source.
        if found is not None:
            raise LocalCodeError(found.message, ways_out=found.ways_out)
        return raw

    def set_data(self, path: str, data: ReadableBuffer, *, _mode: int = 0o666) -> None:
        if distrust(os.path.dirname(path)) is None:
            super().set_data(path, data, _mode=_mode)
