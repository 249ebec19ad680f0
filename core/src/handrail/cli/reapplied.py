"""What a call of `run` has to record, so that its run can go on elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handrail.cli.local import looks_like_file
from handrail.lock_names import attribute_of
from handrail.recovery.chosen import Chosen
from handrail.settings.rows import looks_secret

if TYPE_CHECKING:
    from handrail.cli.local import Target
    from handrail.cli.session import Session


def chosen(session: Session, values: Mapping[str, Any]) -> Chosen:
    """Return what a call of `run` chose."""
    settings = session.packs.settings
    given, selected = settings.pack_values, settings.selection
    return Chosen(
        no_packs=selected.no_packs,
        only_packs=selected.only_packs,
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
