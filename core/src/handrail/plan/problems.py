"""Problems of the edits of a plan: messages with origins and ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.errors import Problem
from handrail.suggest import near
from handrail.wrapper import overridden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handrail.entry import EntryGroup, Lane
    from handrail.errors import InvalidStepError
    from handrail.origin import Origin
    from handrail.plan.builder import Draft
    from handrail.plan.edits import EditSet, Insertion, Removal, Replacement, Wrapping
    from handrail.plan.order import Contributor
    from handrail.plan.tree import AnyNode, GroupNode
    from handrail.wrapper import StepWrapper


_MOST_STEPS = 12  # Names of steps in a problem.


def too_many_answers(action: str, edits: Sequence[EditSet]) -> Problem:
    """Packs answer for each other's steps without an end in sight."""
    answering = sorted(edits, key=lambda each: len(each.insertions), reverse=True)
    told = [f"{each.owner} ({len(each.insertions)})" for each in answering if each.insertions][:5]
    return Problem(
        code="too-many-answers",
        message=f"packs insert steps for each other's steps in {action}; the most by "
        f"{', '.join(told)}",
        origins=tuple(each.insertions[0].origin for each in answering if each.insertions)[:5],
        ways_out=(
            "a hook should answer for the steps that it means, by name, not for every step",
            *(f"leave one out:  --no-pack {each.owner}" for each in answering[:2]),
        ),
    )


def step_changed(changes: Sequence[tuple[str, str]], pack: Contributor) -> Problem:
    """A pack changed attributes of steps that it was shown: `changes` has step and attribute."""
    steps = [f"'{name}'" for name in dict.fromkeys(step for step, _ in changes)]
    names = dict.fromkeys(name for _, name in changes)
    if len(steps) > _MOST_STEPS:
        steps[_MOST_STEPS - 1 :] = [f"{len(steps) - _MOST_STEPS + 1} more"]
    of = ", ".join(steps[:-1]) + f" and {steps[-1]}" if steps[1:] else steps[0]
    which = "steps {}, which are not its own" if steps[1:] else "step {}, which is not its own"
    return Problem(
        code="step-changed",
        message=f"{pack.origin} changes {', '.join(names)} of {which.format(of)}",
        origins=(pack.origin,),
        ways_out=(
            "return a wrapper from wrap_step, or put another step there with registry.replace",
            f"leave the pack out:  --no-pack {pack.id}",
        ),
    )


def no_steps(action: str, edits: EditSet) -> Problem:
    """The project changes the steps of an action that has none."""
    every = (edits.insertions, edits.wrappings, edits.removals)
    origins = tuple(edit.origin for kind in every for edit in kind)
    return Problem(
        code="no-steps",
        message=f"{origins[0].place}: {action} runs in one piece, so there are no steps to change",
        origins=origins,
        ways_out=("take that out",),
    )


def duplicate(name: str, action: str, new: Origin, old: Origin | None, *, removed: bool) -> Problem:
    """Two steps answer to the same name.

    Args:
        name: The name.
        action: Name of the action.
        new: Origin of the edit that brings the second step.
        old: Origin of the edit that brings the first one; None for a step of the action itself.
        removed: Whether an edit removes the first one.
    """
    by_edit = [each for each in (new, old) if each is not None]
    packs = sorted({each.pack for each in by_edit if each.pack})
    same = old is not None and old.pack == new.pack
    out = "leave it out" if len(packs) == 1 else "leave one out"
    return Problem(
        code="duplicate-step",
        message=f"{_named(new)} brings two steps that answer to '{name}'"
        if same
        else f"two steps answer to '{name}': one of "
        f"{f'{action} itself' if old is None else _named(old)}, one of {_named(new)}",
        origins=tuple(by_edit),
        details=tuple(dict.fromkeys(each.place for each in by_edit if each.place)),
        ways_out=(
            *(
                (f"to put a step in its place use registry.replace('{name}', ...)",)
                if removed
                else ()
            ),
            *(("bring it only once, or give each a name of its own",) if same else ()),
            *(f"{out}:  --no-pack {pack}" for pack in packs),
        ),
    )


def _named(origin: Origin) -> str:
    """Return who made an edit: the pack, or the line of the project."""
    return str(origin) if origin.pack else origin.place or str(origin)


def unknown_step(edit: Any, verb: str, name: str, known: Iterable[str]) -> Problem:
    """An edit refers to a step that does not exist."""
    matches = near(name, known)
    hint = f"did you mean {' or '.join(matches)}?" if matches else ""
    owner = edit.origin.pack
    return Problem(
        code="unknown-step",
        message=f"{edit.origin} {verb} '{name}', which no step answers to",
        origins=(edit.origin,),
        details=tuple(line for line in (edit.origin.place, hint) if line),
        ways_out=(f"leave it out:  --no-pack {owner}",) if owner else (),
    )


def bad_limits(edit: Any, draft: Draft, error: InvalidStepError) -> Problem:
    """The limits that the project gives a step do not fit those that it declares."""
    return Problem(
        code=error.code,
        message=f"{edit.origin} limits '{draft.entry.name}': {error.message}",
        origins=(edit.origin, draft.origin),
        details=(edit.origin.place,) if edit.origin.place else (),
        ways_out=error.ways_out,
    )


def not_a_step(edit: Any, verb: str, group: GroupNode) -> Problem:
    """An edit replaces or wraps a group."""
    owner = edit.origin.pack
    steps = ", ".join(node.name for node in group.steps)
    return Problem(
        code="not-a-step",
        message=f"{edit.origin} {verb} '{group.name}', which is a group",
        origins=(edit.origin, group.origin),
        details=(edit.origin.place,) if edit.origin.place else (),
        ways_out=(
            f"name one of its steps: {steps}",
            *((f"leave it out:  --no-pack {owner}",) if owner else ()),
        ),
    )


def nested_group(group: EntryGroup, insertion: Insertion | None, lane: Lane) -> Problem:
    """A group hangs on a step of another group."""
    origin = group.origin if insertion is None else insertion.origin
    side = "in" if insertion is None else f"{insertion.side} {insertion.anchor}, in"
    outer = lane.group.name
    return Problem(
        code="nested-group",
        message=f"{origin} puts group '{group.name}' {side} a lane of group '{outer}'; "
        "groups do not nest",
        origins=(origin,),
        details=(origin.place,) if origin.place else (),
        ways_out=(
            f"insert it before or after '{outer}'",
            *((f"leave it out:  --no-pack {origin.pack}",) if origin.pack else ()),
        ),
    )


def needs_grant(edit: Any, verb: str, found: AnyNode, grant: str, *details: str) -> Problem:
    """A pack removes, replaces or changes what is of another pack without a grant of the project.

    Args:
        edit: The edit.
        verb: What it does.
        found: What it does that to.
        grant: The grant that it needs.
        *details: Why it needs one, if the verb does not say it.
    """
    owner = edit.origin.pack
    return Problem(
        code=f"{verb}-needs-grant",
        message=f"{edit.origin} {verb}s {found.name} of {found.origin}",
        origins=(edit.origin, found.origin),
        details=(*((edit.origin.place,) if edit.origin.place else ()), *details),
        ways_out=(
            f'allow it    [grants]  {owner} = ["{grant}"]',
            f'or drop it  [packs]   disable = ["{owner}"]',
        ),
    )


def why_it_changes(layer: StepWrapper[Any]) -> str:
    """Return why a layer counts as one that changes the step inside."""
    found = overridden(layer)
    why = f"overrides {', '.join(found)}" if found else "says changes = True"
    return f"{type(layer).__name__} {why}"


def final(edit: Any, draft: Draft, verb: str, required: str = "", *details: str) -> Problem:
    """An edit changes a step that is final, or required by `required`.

    Args:
        edit: The edit.
        draft: The step.
        verb: What the edit does.
        required: What requires the step; an empty text if it says itself that it is final.
        *details: Why a layer changes the step.
    """
    owner = edit.origin.pack
    why = f"required by {required}" if required else "final"
    rule = "removes, replaces or changes" if required else "removes, replaces or wraps"
    return Problem(
        code="final-step",
        message=f"{edit.origin} wants to {verb} {draft.entry.name} of {draft.origin}, "
        f"which is {why}: nobody {rule} it",
        origins=(edit.origin, draft.origin),
        details=(*((edit.origin.place,) if edit.origin.place else ()), *details),
        ways_out=(f"leave it out:  --no-pack {owner}",) if owner else ("take that line out",),
    )


def twice(edit: Replacement, earlier: Replacement, name: str) -> Problem:
    """Two packs replace one step."""
    packs = sorted({edit.origin.pack or "", earlier.origin.pack or ""} - {""})
    return Problem(
        code="replaced-twice",
        message=f"{earlier.origin} replaces {name} twice"
        if earlier.origin.pack == edit.origin.pack
        else f"{earlier.origin} and {edit.origin} both replace {name}",
        origins=(earlier.origin, edit.origin),
        details=tuple(each.place for each in (earlier.origin, edit.origin) if each.place),
        ways_out=tuple(f"leave one out:  --no-pack {pack}" for pack in packs),
    )


def replaced_and_removed(edit: Removal, replacement: Replacement) -> Problem:
    """One pack replaces a step that another removes."""
    packs = sorted({edit.origin.pack or "", replacement.origin.pack or ""} - {""})
    return Problem(
        code="replaced-and-removed",
        message=f"{replacement.origin} replaces {replacement.name}, and {edit.origin} removes it",
        origins=(replacement.origin, edit.origin),
        details=tuple(each.place for each in (replacement.origin, edit.origin) if each.place),
        ways_out=tuple(f"leave one out:  --no-pack {pack}" for pack in packs),
    )


def no_layer(edit: Wrapping, layer: object) -> Problem:
    """A wrapper factory returned something other than a StepWrapper, or raised."""
    raised = isinstance(layer, Exception)
    what = f"raised {layer!r}" if raised else f"made {layer!r}, which is not a StepWrapper"
    return Problem(
        code="invalid-layer",
        message=f"{edit.origin} wraps {edit.name}: its wrapper {what}",
        origins=(edit.origin,),
        details=(edit.origin.place,) if edit.origin.place else (),
    )


def same_layer(edit: Wrapping, layer: StepWrapper[Any]) -> Problem:
    """One wrapper was given twice for a step."""
    return Problem(
        code="layer-twice",
        message=f"{edit.origin} puts the same {type(layer).__name__} around {edit.name} twice",
        origins=(edit.origin,),
        details=(edit.origin.place,) if edit.origin.place else (),
        ways_out=("make a new wrapper for each layer",),
    )


def other_step(edit: Wrapping, layer: StepWrapper[Any]) -> Problem:
    """A wrapper is around another step than the one it is for."""
    return Problem(
        code="foreign-layer",
        message=f"{edit.origin} wraps {edit.name} with a {type(layer).__name__} "
        "around another step",
        origins=(edit.origin,),
        details=(edit.origin.place,) if edit.origin.place else (),
        ways_out=("make the wrapper around that step, or give its class instead",),
    )
