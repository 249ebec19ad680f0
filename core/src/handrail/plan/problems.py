"""Problems of the edits of a plan: messages with origins and ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.errors import Problem
from handrail.suggest import near
from handrail.wrapper import overridden

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handrail.entry import EntryGroup, Lane
    from handrail.errors import InvalidStepError
    from handrail.origin import Origin
    from handrail.plan.builder import AnyDraft, Draft, GroupDraft
    from handrail.plan.edits import EditSet, Insertion, Limiting, Removal, Replacement, Wrapping
    from handrail.wrapper import StepWrapper

    Edit = Replacement | Wrapping | Removal | Limiting


def problem_of(
    code: str,
    message: str,
    *origins: Origin,
    others: Iterable[Origin] = (),
    details: Iterable[str] = (),
    ways_out: Iterable[str] = (),
) -> Problem:
    """Return a problem with the line of each edit that makes it, and how to leave out its pack.

    Args:
        code: Its identifier.
        message: What is wrong.
        *origins: Origins of the edits.
        others: Origins of what they are about.
        details: Further lines.
        ways_out: Other ways out.
    """
    packs = sorted({origin.pack for origin in origins if origin.pack})
    out = "leave one out" if packs[1:] else "leave it out"
    places = dict.fromkeys(origin.place for origin in origins if origin.place)
    return Problem(
        code=code,
        message=message,
        origins=(*origins, *others),
        details=(*places, *details),
        ways_out=(*ways_out, *(f"{out}:  --no-pack {pack}" for pack in packs)),
    )


def _did_you_mean(name: str, known: Iterable[str]) -> tuple[str, ...]:
    matches = near(name, known)
    return (f"did you mean {' or '.join(matches)}?",) if matches else ()


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


def missing_anchor(
    insertion: Insertion, hanging: Sequence[Insertion], anchors: Mapping[str, object], action: str
) -> Problem:
    """Nothing answers to the anchor of an insertion; others hang on its steps."""
    anchor, owner = insertion.anchor or "", insertion.origin.pack
    skip = "if_missing='skip'" if owner else 'if_missing = "skip"'
    matches = near(anchor, anchors)
    own_place: list[str] = []
    if owner and matches and len(insertion.entries) == 1:
        step = f"{owner}:{insertion.titles[0]}"
        placed = f'{{ step = "{step}", {insertion.side} = "{matches[0]}" }}'
        own_place = [f"place it yourself  [actions.{action}]  insert = [{placed}]"]
    return problem_of(
        "unknown-anchor",
        f"{insertion.origin} inserts {', '.join(insertion.titles)} {insertion.side} '{anchor}', "
        "which no step answers to",
        insertion.origin,
        others=[each.origin for each in hanging],
        details=[*_did_you_mean(anchor, anchors), *map(_with_it, hanging)],
        ways_out=[*own_place, f"say {skip} where the step may be absent"],
    )


def anchor_cycle(cycle: Sequence[Insertion], hanging: Sequence[Insertion]) -> Problem:
    """The insertions of `cycle` hang on each other, and those in `hanging` on them."""
    chain = "; ".join(
        f"{each.titles[0]} {each.side} {each.anchor} ({each.origin})" for each in cycle
    )
    return problem_of(
        "anchor-cycle",
        f"steps hang on each other and on nothing else: {chain}",
        *(each.origin for each in cycle),
        others=[each.origin for each in hanging],
        details=map(_with_it, hanging),
    )


def _with_it(insertion: Insertion) -> str:
    origin = insertion.origin
    place = f", {origin.place}" if origin.place else ""
    titles = ", ".join(insertion.titles)
    return f"and with it {titles} {insertion.side} {insertion.anchor} ({origin}{place})"


def duplicate(name: str, action: str, new: Origin, old: Origin | None, *, removed: bool) -> Problem:
    """Two steps answer to the same name.

    Args:
        name: The name.
        action: Name of the action.
        new: Origin of the edit that brings the second step.
        old: Origin of the edit that brings the first one; None for a step of the action itself.
        removed: Whether an edit removes the first one.
    """
    instead = f"to put a step in its place use registry.replace('{name}', ...)"
    ways_out = [instead] if removed else []
    if old is not None and old.pack == new.pack:
        message = f"{_named(new)} brings two steps that answer to '{name}'"
        ways_out.append("bring it only once, or give each a name of its own")
    else:
        first = f"{action} itself" if old is None else _named(old)
        message = f"two steps answer to '{name}': one of {first}, one of {_named(new)}"
    origins = [new] if old is None else [new, old]
    return problem_of("duplicate-step", message, *origins, ways_out=ways_out)


def _named(origin: Origin) -> str:
    """Return who made an edit: the pack, or the line of the project."""
    return str(origin) if origin.pack else origin.place or str(origin)


def unknown_step(edit: Edit, verb: str, known: Iterable[str]) -> Problem:
    """An edit refers to a step that does not exist."""
    return problem_of(
        "unknown-step",
        f"{edit.origin} {verb}s '{edit.name}', which no step answers to",
        edit.origin,
        details=_did_you_mean(edit.name, known),
    )


def bad_limits(edit: Edit, draft: Draft, error: InvalidStepError) -> Problem:
    """The limits that the project gives a step do not fit those that it declares."""
    return problem_of(
        error.code,
        f"{edit.origin} limits '{draft.name}': {error.message}",
        edit.origin,
        others=[draft.origin],
        ways_out=error.ways_out,
    )


def not_a_step(edit: Edit, verb: str, group: GroupDraft) -> Problem:
    """An edit replaces, wraps or limits a group."""
    steps = ", ".join(draft.name for draft in group.steps)
    return problem_of(
        "not-a-step",
        f"{edit.origin} {verb}s '{group.name}', which is a group",
        edit.origin,
        others=[group.origin],
        ways_out=[f"name one of its steps: {steps}"],
    )


def nested_group(group: EntryGroup, insertion: Insertion | None, lane: Lane) -> Problem:
    """A group hangs on a step of another group."""
    origin = group.origin if insertion is None else insertion.origin
    side = "in" if insertion is None else f"{insertion.side} {insertion.anchor}, in"
    outer = lane.group.name
    return problem_of(
        "nested-group",
        f"{origin} puts group '{group.name}' {side} a lane of group '{outer}'; groups do not nest",
        origin,
        ways_out=[f"insert it before or after '{outer}'"],
    )


def needs_grant(edit: Edit, verb: str, found: AnyDraft, grant: str, *details: str) -> Problem:
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


def final(edit: Edit, draft: Draft, verb: str, required: str, *details: str) -> Problem:
    """An edit changes a step that is final, or required by `required`.

    Args:
        edit: The edit.
        draft: The step.
        verb: What the edit does.
        required: What requires the step; an empty text if it says itself that it is final.
        *details: Why a layer changes the step.
    """
    why = f"required by {required}" if required else "final"
    rule = "removes, replaces or changes" if required else "removes, replaces or wraps"
    return problem_of(
        "final-step",
        f"{edit.origin} wants to {verb} {draft.name} of {draft.origin}, which is {why}: nobody "
        f"{rule} it",
        edit.origin,
        others=[draft.origin],
        details=details,
        ways_out=() if edit.origin.pack else ["take that line out"],
    )


def twice(edit: Replacement, earlier: Replacement) -> Problem:
    """Two edits replace one step."""
    message = f"{earlier.origin} and {edit.origin} both replace {edit.name}"
    if earlier.origin.pack == edit.origin.pack:
        message = f"{edit.origin} replaces {edit.name} twice"
    return problem_of("replaced-twice", message, earlier.origin, edit.origin)


def replaced_and_removed(edit: Removal, replacement: Replacement) -> Problem:
    """One edit replaces a step that another removes."""
    return problem_of(
        "replaced-and-removed",
        f"{replacement.origin} replaces {replacement.name}, and {edit.origin} removes it",
        replacement.origin,
        edit.origin,
    )


def no_layer(edit: Wrapping, layer: object) -> Problem:
    """A wrapper factory returned something other than a StepWrapper, or raised."""
    raised = isinstance(layer, Exception)
    what = f"raised {layer!r}" if raised else f"made {layer!r}, which is not a StepWrapper"
    message = f"{edit.origin} wraps {edit.name}: its wrapper {what}"
    return problem_of("invalid-layer", message, edit.origin)


def same_layer(edit: Wrapping, layer: StepWrapper[Any]) -> Problem:
    """One wrapper was given twice for a step."""
    return problem_of(
        "layer-twice",
        f"{edit.origin} puts the same {type(layer).__name__} around {edit.name} twice",
        edit.origin,
        ways_out=["make a new wrapper for each layer"],
    )


def other_step(edit: Wrapping, layer: StepWrapper[Any]) -> Problem:
    """A wrapper is around another step than the one it is for."""
    return problem_of(
        "foreign-layer",
        f"{edit.origin} wraps {edit.name} with a {type(layer).__name__} around another step",
        edit.origin,
        ways_out=["make the wrapper around that step, or give its class instead"],
    )
