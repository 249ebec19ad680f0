"""What the command line chose for a run, as its journal keeps it, and back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail.cli.local import looks_like_file
from handrail.lock_names import attribute_of
from handrail.plan.selection import select
from handrail.settings.rows import looks_secret

if TYPE_CHECKING:
    from handrail.cli.local import Target
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the command line chose.

    Attributes:
        no_packs: Packs that were off by flag.
        only_packs: The only packs that were on, or None.
        values: Settings of packs: pack, dotted key and text; none that looks like a secret.
        left_out: Those that do, without their values.
        only: Names of the only steps to run.
        start: Name of the first step to run, or None.
        skip: Names of the steps to leave out.
        no_lock: Whether the lock was left aside.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    values: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    start: str | None = None
    skip: tuple[str, ...] = ()
    no_lock: bool = False

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of_json(cls, text: str) -> Chosen:
        """Return what `to_json` made text of; a run of the library chose nothing."""
        stored: dict[str, Any] = json.loads(text)
        only_packs = stored.get("only_packs")
        return cls(
            no_packs=tuple(stored.get("no_packs", ())),
            only_packs=None if only_packs is None else tuple(only_packs),
            values=tuple((pack, key, told) for pack, key, told in stored.get("values", ())),
            left_out=tuple(stored.get("left_out", ())),
            only=tuple(stored.get("only", ())),
            start=stored.get("start"),
            skip=tuple(stored.get("skip", ())),
            no_lock=bool(stored.get("no_lock")),
        )

    def part_of(self, plan: Plan) -> Plan:
        """Return the part of `plan` that was chosen.

        Raises:
            StepNotFoundError: A step that was chosen is not there any more.
        """
        return select(plan, only=self.only, start=self.start, skip=self.skip)


def chosen(session: Session, values: Mapping[str, Any]) -> Chosen:
    """Return what a call of `run` chose."""
    given = session.packs.settings.pack_values
    return Chosen(
        no_packs=session.no_packs,
        only_packs=session.only_packs,
        values=tuple(each for each in given if not looks_secret(" ".join(each[1:]))),
        left_out=tuple(
            f"{pack}.{key}" for pack, key, text in given if looks_secret(f"{key} {text}")
        ),
        only=tuple(values["only"]),
        start=values["start"],
        skip=tuple(values["skip"]),
        no_lock=bool(values["no_lock"]),
    )


def recorded_name(target: Target) -> str:
    """Return how an action is found again from the same working folder."""
    if target.origin.module != "__main__":
        return target.name
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m company.flows
        return f"{spec.name}:{_attribute(target)}"
    file = os.path.abspath(target.origin.file)
    shown = Path(os.path.relpath(file)).as_posix()
    return f"{shown if looks_like_file(shown) else file}:{_attribute(target)}"


def _attribute(target: Target) -> str:
    return attribute_of(target.action_class) or target.action_class.action_name
