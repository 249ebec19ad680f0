"""Reads `[actions.NAME]` and `[workflows.NAME]`: a project's changes to actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from handrail.errors import Problem
from handrail.settings.changes import Changes, Insert, Remove, Wrap
from handrail.settings.keys import below
from handrail.settings.table import Path, TableReader, dotted, type_of

ACTION = "actions.NAME"
ITEM = "actions.NAME.insert"
SIDES: tuple[Literal["before", "after"], ...] = ("before", "after")

Section = Literal["actions", "workflows"]
AllChanges = dict[str, Changes]


def read_changes(reader: TableReader, section: Section, value: object) -> AllChanges:
    """Return the changes in the section, by the name of the action or workflow."""
    return {
        name: _read_one(reader, section, name, table)
        for name, table in reader.table((section,), value).items()
    }


def _read_one(reader: TableReader, section: Section, name: str, value: object) -> Changes:
    path: Path = (section, name)
    found: dict[str, Any] = {}
    known = below(ACTION) + (below("workflows.NAME") if section == "workflows" else ())
    for key, each in reader.table(path, value).items():
        here = (*path, key)
        if key not in known:
            hint = f"[workflows.{name}] may extend an action" if key == "extends" else ""
            reader.unknown(here, key, each, known, hint)
        elif key == "params":
            found["params"] = reader.table(here, each)
        elif key == "insert":
            found["inserts"] = tuple(_inserts(reader, here, each))
        elif key == "remove":
            found["removes"] = _removes(reader, here, each)
        elif key == "wrap":
            found["wraps"] = tuple(_wraps(reader, here, each))
        else:
            found["extends"] = reader.text(here, each)
    if section == "workflows" and "extends" not in found and isinstance(value, dict):
        hint = f'[workflows.{name}]  extends = "upload"'
        reader.problem(path, f"workflows.{name} does not say which action it extends", hint)
    return Changes(
        name=name,
        section=section,
        origin=reader.origin(path),
        lines=reader.lines(path),
        **found,
    )


def _removes(reader: TableReader, path: Path, value: object) -> tuple[Remove, ...]:
    reader.names(path, value)
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(
        Remove(step=each.strip(), origin=reader.origin((*path, number)))
        for number, each in enumerate(listed)
        if isinstance(each, str) and each.strip()
    )


def _inserts(reader: TableReader, path: Path, value: object) -> list[Insert]:
    example = f'{dotted(path)} = [{{ step = "pack:step", before = "step" }}]'
    made: list[Insert] = []
    for number, each in enumerate(reader.items(path, value, "tables", example)):
        place = (*path, number)
        if not isinstance(each, dict):
            message = (
                f"item {number + 1} of {dotted(path)} is {type_of(each)}; it has to be a table"
            )
            reader.problem(place, message, example)
            continue
        insert = _insert(reader, place, cast("dict[str, Any]", each))
        if insert is not None:
            made.append(insert)
    return made


def _insert(reader: TableReader, path: Path, table: Mapping[str, Any]) -> Insert | None:
    before = len(reader.problems)
    found: dict[str, Any] = {"origin": reader.origin(path)}
    for here, key, each in reader.fields(path, table, ITEM, name="call it `as`"):
        if key in SIDES:
            if "side" in found:
                reader.problem(path, "an inserted step stands before or after one step, not both")
            found["side"], found["anchor"] = key, reader.text(here, each)
        elif key == "options":
            found["options"] = reader.table(here, each)
        elif key == "if_missing":
            found["if_missing"] = each
            if each not in ("error", "skip"):
                reader.problem(here, f'if_missing is {each!r}; it has to be "error" or "skip"')
        else:
            found["name" if key == "as" else key] = reader.text(here, each)
    if "step" not in table:
        hint = 'insert = [{ step = "pack:step", before = "step" }]'
        reader.problem(path, f"item of {dotted(path[:-1])} names no step", hint)
    return Insert(**found) if len(reader.problems) == before else None


def _wraps(reader: TableReader, path: Path, value: object) -> list[Wrap]:
    made: list[Wrap] = []
    for step, layers in reader.table(path, value).items():
        here = (*path, step)
        hint = f'wrap.{step} = ["{layers}"]' if isinstance(layers, str) else ""
        listed = reader.items(here, layers, "names of wrappers and tables", hint)
        for number, each in enumerate(listed):
            wrap = _wrap(reader, (*here, number), step, each)
            if wrap is not None:
                made.append(wrap)
    return made


def _wrap(reader: TableReader, path: Path, step: str, value: object) -> Wrap | None:
    origin = reader.origin(path)
    if isinstance(value, str) and value.strip():
        return Wrap(step=step, use=value.strip(), origin=origin)
    if not isinstance(value, dict):
        message = (
            f"{dotted(path)} is {type_of(value)}; it has to be the name of a wrapper or a table"
        )
        reader.problem(path, message, '{ use = "retry", attempts = 5 }')
        return None
    table = cast("dict[str, Any]", value)
    if "use" not in table:
        hint = '{ use = "retry", attempts = 5 }'
        reader.problem(path, f"{dotted(path)} names no wrapper", hint)
        return None
    use = reader.text((*path, "use"), table["use"])
    options = {key: each for key, each in table.items() if key != "use"}
    return Wrap(step=step, use=use, options=options, origin=origin) if use else None


def check_chains(workflows: AllChanges) -> list[Problem]:
    """Return a problem for each cycle of workflows that extend each other."""
    problems: list[Problem] = []
    reported: set[str] = set()
    for start in workflows:
        path: list[str] = []
        name = start
        while name in workflows and name not in path and name not in reported:
            path.append(name)
            name = workflows[name].extends
        if name in path:
            loop = path[path.index(name) :]
            reported.update(loop)
            problems.append(_circle([workflows[each] for each in loop]))
        reported.update(path)
    return problems


def _circle(loop: list[Changes]) -> Problem:
    names = [each.name for each in loop]
    shown = " extends ".join([*names, names[0]])
    places = [each.source_of("extends") for each in loop]
    return Problem(
        code="workflow-cycle",
        message=f"{places[0].place}: workflows extend each other: {shown}",
        origins=tuple(places),
        details=tuple(place.place for place in places[1:]),
        ways_out=("let one of them extend an installed action",),
    )
