"""What a lock calls an action that a person named."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.cli.local import as_action, looks_like_file
from handrail.locking import Locked

if TYPE_CHECKING:
    from handrail.cli.local import Target
    from handrail.cli.session import Session


def locked(session: Session, target: Target) -> Locked:
    """Return `target` under the name that a lock has for it, from whichever folder it is run.

    An installed action is called what its pack calls it, one in a file by the way to it from the
    project's folder.
    """
    if target.origin.pack is not None:
        name = target.action_class.action_name
        return Locked(name=name, pack=target.origin.pack, called=target.name)
    head, _, attribute = target.name.rpartition(":")
    is_program = target.origin.module == "__main__"
    file = head if head and looks_like_file(head) else ""
    if not file and looks_like_file(target.name):
        file, attribute = target.name, ""
    elif not file and is_program:
        file, attribute = target.origin.file, ""
    if not file:
        return Locked(name=target.name, pack=None)
    way = _from(session.packs.settings.project.folder, file)
    name = f"{way}:{attribute or attribute_of(target)}"
    return Locked(name=name, pack=None, called="" if is_program else target.name)


def _from(folder: Path, file: str) -> str:
    try:
        return Path(os.path.relpath(os.path.abspath(file), folder)).as_posix()
    except ValueError:  # Another drive.
        return Path(file).name


def attribute_of(target: Target) -> str:
    """Return the name that the action has in its module."""
    module = sys.modules.get(target.action_class.__module__)
    for name, value in dict(vars(module) if module else {}).items():
        if as_action(value) is target.action_class:
            return name
    return target.action_class.action_name
