"""What a lock calls an action that a person named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.packs.action_names import Locked, attribute_of, way_to
from handrail.packs.record import LOCAL
from handrail.targets import looks_like_file

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.targets import Target


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
        named = head == LOCAL and session.packs.catalog.has_pack(LOCAL)
        return Locked(name=attribute if named else target.name, pack=None)
    way = way_to(file, session.packs.settings.project.folder)
    attribute = attribute or attribute_of(target.action_class) or target.action_class.action_name
    name = f"{way}:{attribute}"
    return Locked(name=name, pack=None, called="" if is_program else target.name)
