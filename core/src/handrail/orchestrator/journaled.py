"""Opens durable runs: the state of a run, tied to a journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, cast

import handrail
from handrail.frozen import frozen, replace, values_of
from handrail.journal.codec import now
from handrail.journal.context_fields import ContextFields
from handrail.journal.records import NewRun
from handrail.journal.run_log import JournaledLog
from handrail.orchestrator.dispatch import run_info
from handrail.packs.configuration import project_at
from handrail.packs.serializers import InstalledSerializers
from handrail.plan.forms import plan_json
from handrail.redact import Mask

if TYPE_CHECKING:
    from handrail.engine.state import PartOf, RunState
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.journal.values import Serializers
    from handrail.packs.record import PackRecord


def _installed() -> Iterable[PackRecord]:
    from handrail.packs.installed import installed_packs  # noqa: PLC0415 - where nobody gives packs

    return installed_packs().records


_INSTALLED = InstalledSerializers(_installed)


@frozen
class ChildOf:
    """What a run has from the run that it is a part of; see `NewRun`.

    Attributes:
        parent: The number of that run.
        parent_step: The step that it is made for.
        parent_attempt: The attempt of that step, or of its item.
        parent_item: Its place among the parts of that step.
        parent_fence: The fence of the owner of that run.
        cwd: The working folder, which a worker elsewhere does not have.
        project: The project.
    """

    parent: int
    parent_step: str
    parent_attempt: int
    parent_item: int
    parent_fence: int
    cwd: str
    project: str


@frozen
class RunAbout:
    """The data of a run, besides its plan, that another process needs to continue it.

    Attributes:
        action: The name by which the action is found, such as `upload` or `flows.py:nightly`.
        params: Its params as JSON; secrets by the name of their variable only.
        packs: The selection of packs, as JSON.
        mask: Removes the known secrets from a text.
        secrets: Names of the secret params; a context field of the same name is not stored.
        serializers: The serializers for values that JSON lacks; by default, the installed ones.
        child: What it has from its parent if that is in another process.
    """

    action: str
    params: str = "{}"
    packs: str = "{}"
    mask: Mask = field(default_factory=Mask)
    secrets: frozenset[str] = frozenset()
    serializers: Serializers = _INSTALLED
    child: ChildOf | None = None


def open_run(
    run: RunState, journal: Journal, about: RunAbout, part: PartOf | None = None
) -> OwnedRun:
    """Open a run in `journal`, with its first step noted as started; the run is written there.

    Args:
        run: The run.
        journal: The journal.
        about: What another process needs to go on with it.
        part: What it has from another run of this journal, if it is a part of one.

    Raises:
        ContextError: The context has a field that cannot be stored; nothing was opened.
        JournalError: The journal cannot be written; no step has begun.
    """
    child = about.child if part is None else _child_of(part)
    line, fields = run.line, ContextFields(type(run.line.context), about.secrets)
    mask = about.mask.within(line.context)
    log = JournaledLog(run.plan, line.context, fields, mask=mask, serializers=about.serializers)
    log.context_changed(0)
    line.log = log
    first = next(iter(run.plan.steps[: run.plan.ordinary]), None)
    waits = first is None or first.group is not None
    if first is not None and not waits and not first.facts.skippable:
        line.begins(0)
    new = NewRun(
        uid=run.run_id,
        action=about.action,
        plan=plan_json(run.plan),
        params=about.params,
        packs=about.packs,
        cwd=os.getcwd(),
        core_version=handrail.__version__,
        opened=now(),
        project=project_at(os.getcwd()),
    )
    if child is not None:
        new = replace(new, **values_of(child))
    owned = journal.open_run(new, log.first())
    log.write_to(owned, journal, new=True)
    run.is_recorded(owned.uid, owned.number, journal.address)
    run.describe = partial(run_info, action=new.action, project=new.project, parent=new.parent)
    return owned


def _child_of(part: PartOf) -> ChildOf:
    """Return what a part of a run of this process has from that."""
    line = part.line
    planned, outer = line.running(), cast("JournaledLog", line.log)
    assert planned is not None
    _, parent = outer.place
    return ChildOf(
        parent=parent.number,
        parent_step=planned.name,
        parent_attempt=line.run.attempts.get(line.position, 1),
        parent_item=part.item,
        parent_fence=parent.fence,
        cwd=os.getcwd(),
        project=project_at(os.getcwd()),
    )
