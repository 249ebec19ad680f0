"""The catalog of actions, steps and commands that packs offer, from metadata only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from handrail.errors import AmbiguousNameError, NotFoundError, PackError
from handrail.packs.activation import match_packs
from handrail.packs.entry_points import import_target
from handrail.packs.local import import_local
from handrail.packs.ours import ACTIONS, OPTIONS, hint_for, is_ours
from handrail.packs.record import LOCAL, EntryPoint, Kind, PackRecord, normalised
from handrail.suggest import near

KINDS: tuple[Kind, ...] = ("actions", "steps", "commands")
_SINGULAR = {"actions": "action", "steps": "step", "commands": "command", "options": "option"}
_SHOW = {
    "actions": "handrail run {}",
    "steps": "handrail steps {}",
    "commands": "handrail {}",
}

Offer = tuple[PackRecord, EntryPoint]


class Catalog:
    """The names of actions, steps and commands, with the packs that offer them.

    Attributes:
        records: The packs.
    """

    def __init__(self, records: Iterable[PackRecord]) -> None:
        self.records = tuple(records)

    def pack(self, name: str) -> PackRecord | None:
        """Return the installed pack called `name` (normalised or not), or None."""
        return next(iter(match_packs(name, self.records)), None)

    def id_of(self, name: str) -> str:
        """Return the id of the pack called `name`, which need not be installed."""
        record = self.pack(name)
        return record.id if record is not None else normalised(name)

    def offers(self, kind: Kind) -> list[Offer]:
        """Return all offers of one kind, including those of disabled or broken packs."""
        return [(record, entry) for record in self.records for entry in record.offered(kind)]

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the offer called `name` or `pack:name`.

        Raises:
            NotFoundError: There is no such offer; ways out suggest similar names or a pack.
            AmbiguousNameError: Several packs offer the name.
            PackError: The pack that offers it is broken or incompatible with this core.
        """
        pack, _, bare = name.rpartition(":")
        same = [offer for offer in self.offers(kind) if offer[1].name == bare]
        if pack:
            named = match_packs(pack, self.records)
            same = [offer for offer in same if offer[0] in named]
        claims = [offer for offer in same if offer[0].status != "off"]
        if not claims:
            raise self._missing(kind, pack, bare, [record for record, _ in same])
        if len(claims) > 1:
            names = [f"{record.id}:{bare}" for record, _ in claims]
            owners = " and ".join(str(record.origin) for record, _ in claims)
            raise AmbiguousNameError(
                f"{len(claims)} packs offer the {_SINGULAR[kind]} {bare}: {owners}",
                ways_out=("say which:  " + "  or  ".join(names),),
            )
        record, entry = claims[0]
        if not record.is_used:
            raise self._unusable(kind, record, entry)
        return record, entry

    def load(self, kind: Kind, name: str) -> Any:
        """Import and return the object called `name` or `pack:name`.

        Raises:
            NotFoundError: There is no such offer.
            AmbiguousNameError: Several packs offer the name.
            PackError: The pack is broken or cannot be imported; `__cause__` is the error, if any.
            LocalCodeError: A file of the project cannot be imported.
        """
        record, entry = self.find(kind, name)
        if record.is_local:
            return import_local(record, entry, record.origin)
        return import_target(record, entry)

    def _unusable(self, kind: Kind, record: PackRecord, entry: EntryPoint) -> PackError:
        return PackError(
            f"the {_SINGULAR[kind]} {entry.name} is from {record.origin}, "
            f"which is {record.status}: {record.why}",
            problems=record.problems,
            origin=record.origin,
        )

    def _missing(
        self, kind: Kind, pack: str, name: str, off: Sequence[PackRecord]
    ) -> NotFoundError:
        what = _SINGULAR[kind]
        if off:
            # A command of a group, such as `new.pack`, is shown as it is typed.
            between = {"commands": " ", "options": " --"}.get(kind, ".")
            typed = name.replace(".", between, 1)
            return NotFoundError(
                f"there is no {what} '{typed}' that is on",
                origin=off[0].origin,
                ways_out=[f"{record.id} has it and is off: {record.why}" for record in off],
            )
        if kind == "options" and name in OPTIONS:
            needed = f"{OPTIONS[name]}: pip install {OPTIONS[name]}"
            return NotFoundError(f"--{name.partition('.')[2]} needs {needed}")
        if pack:
            return self._missing_in(kind, pack, name)
        usable = [offer for offer in self.offers(kind) if offer[0].status != "off"]
        ours = ACTIONS if kind == "actions" else {}
        known = dict.fromkeys((*(entry.name for _, entry in usable), *ours))
        matches: Sequence[str] = () if name in ours else near(name, known)
        hints = [f"did you mean {' or '.join(matches)}?"] if matches else []
        hints += self._other_kinds(kind, name)
        installed = {record.id for record in self.records}
        for each in (name, *matches):
            hints += () if ours.get(each) in installed else hint_for(ours, each)
        hints.append(f"searched {sys.prefix} ({sys.executable})")
        return NotFoundError(f"there is no {what} '{name}'", ways_out=hints)

    def _missing_in(self, kind: Kind, pack: str, name: str) -> NotFoundError:
        what = _SINGULAR[kind]
        record = self.pack(pack)
        if record is None and pack == LOCAL:
            ways_out = (f'name it in the project file:  [local.{kind}]  {name} = "FILE.py:{name}"',)
            return NotFoundError(f"this project has no {what} '{name}'", ways_out=ways_out)
        if record is None:
            matches = near(pack, dict.fromkeys(each.id for each in self.records))
            hints = [f"did you mean {' or '.join(matches)}?"] if matches else []
            hints += [f"install it:  pip install {pack}"] if is_ours(pack) else []
            hints.append(f"searched {sys.prefix} ({sys.executable})")
            return NotFoundError(f"no installed pack is called '{pack}'", ways_out=hints)
        names = [entry.name for entry in record.offered(kind)]
        matches = near(name, names)
        hints = [f"did you mean {' or '.join(matches)}?"] if matches else []
        hints.append(f"its {kind}: {', '.join(names) or 'none'}")
        return NotFoundError(
            f"{record.origin} has no {what} '{name}'", origin=record.origin, ways_out=hints
        )

    def _other_kinds(self, kind: Kind, name: str) -> list[str]:
        hints: list[str] = []
        for other in KINDS:
            owners = [record for record, entry in self.offers(other) if entry.name == name]
            if other != kind and owners:
                article = "an" if other == "actions" else "a"
                hints.append(
                    f"{name} is {article} {_SINGULAR[other]} of {owners[0].origin}, "
                    f"not {'an' if kind == 'actions' else 'a'} {_SINGULAR[kind]}:  "
                    f"{_SHOW[other].format(name)}"
                )
        return hints
