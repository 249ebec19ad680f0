"""What a call of `run` has to record, so that its run can go on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handrail.actions import about_action
from handrail.params.redact import has_password, looks_secret
from handrail.params.stored import not_kept
from handrail.recovery.invocation import Invocation

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import OnFailure
    from handrail.orchestrator.journaled import RunAbout
    from handrail.params.values import KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """How a run is kept.

    Attributes:
        journal: Where.
        recorded_as: How its action is found again.
        packs: What the command line chose, as JSON.
        on_failure: Whether a failure undoes what was done, or keeps it.
        variables: The variable of each secret param, by the way to it.
    """

    journal: Journal
    recorded_as: str
    packs: str
    on_failure: OnFailure
    variables: Mapping[KeyPath, str]


def about_run(
    session: Session, action: BaseAction[Any], durable: Durable, values: Mapping[str, Any]
) -> RunAbout:
    """Return what the journal has to know, and tell which params it cannot keep."""
    about = about_action(
        type(action),
        action.params,
        recorded_as=durable.recorded_as,
        packs=durable.packs,
        variables=durable.variables,
    )
    if not values["as_json"] and not values["quiet"]:
        for name, variable in not_kept(about.params):
            session.console.note(
                f"the password in {name} is not kept; {variable} has to hold {name} to resume or "
                "undo this run later"
            )
    return about


def chosen(session: Session, values: Mapping[str, Any]) -> Invocation:
    """Return what a call of `run` chose."""
    settings = session.packs.settings
    given, selected = settings.pack_values, settings.selection
    return Invocation(
        no_packs=selected.no_packs,
        only_packs=selected.only_packs,
        values=tuple(each for each in given if not _is_secret(*each[1:])),
        left_out=tuple(f"{pack}.{key}" for pack, key, text in given if _is_secret(key, text)),
        only=tuple(values["only"]),
        start=values["start"],
        skip=tuple(values["skip"]),
        no_lock=bool(values["no_lock"]),
    )


def _is_secret(key: str, text: str) -> bool:
    return looks_secret(f"{key} {text}") or has_password(text)
