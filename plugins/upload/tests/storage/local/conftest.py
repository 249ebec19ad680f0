"""A local folder as the target, and a file system that lacks what others have."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail_upload.storage import LocalStorage, parse_target


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder; `storage` makes it."""
    return tmp_path / "target"


@pytest.fixture
def open_folder() -> Callable[[Path], LocalStorage]:
    """Open a folder as the target, which is made if it is not there."""

    def _open(folder: Path) -> LocalStorage:
        storage = LocalStorage(parse_target(str(folder)))
        storage.prepare(lambda name: None)
        return storage

    return _open


@pytest.fixture
def storage(root: Path, open_folder: Callable[[Path], LocalStorage]) -> LocalStorage:
    """The folder as the target."""
    return open_folder(root)


@pytest.fixture
def names(root: Path) -> Callable[[], list[str]]:
    """Return the names of all that is in the folder, folders with a slash at their end."""

    def _names() -> list[str]:
        found = sorted(root.rglob("*"))
        return [
            f"{path.relative_to(root)}{'/' * (path.is_dir() and not path.is_symlink())}"
            for path in found
        ]

    return _names


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A file system without hard links, which says so in one of several ways."""
    number: int = getattr(request, "param", errno.EPERM)

    def refuse(source: Any, target: Any, **_options: Any) -> None:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        raise OSError(number, os.strerror(number), source, None, target)

    monkeypatch.setattr(os, "link", refuse)
