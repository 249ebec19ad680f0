"""Reads and validates the sections of a project file or policy, one function each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Literal, cast

from handrail.builtin.project.changes import Changes, Insert, LocalName, Wrap
from handrail.builtin.project.keys import below
from handrail.builtin.project.requirements import RequiredPack, Requirements, parse_pack
from handrail.builtin.project.settings import Grants
from handrail.builtin.project.table import Path, TableReader, dotted, type_of
from handrail.errors import InvalidStepError, Problem
from handrail.frozen import record
from handrail.limits import LIMITS, NO_LIMITS, NO_POLICY, changed_by
from handrail.packs import RequiredStep, normalised
from handrail.packs.configuration import Value
from handrail.plan.edits import Limiting, Removal
from handrail.suggest import did_you_mean

AllChanges = dict[str, Changes]
Section = Literal["actions", "workflows"]

_ACTION = "actions.NAME"
_HAS = {"steps": "steps", "chain": "a chain"}
_MADE_BY = ("extends", *_HAS)
_INSERT = "actions.NAME.insert"
_STEP = "actions.NAME.steps.STEP"
_REQUIRED_STEPS = "required.steps"
_SIDES: tuple[Literal["before", "after"], ...] = ("before", "after")
_SWITCHES = ("disable", "only")

_NAMES = {"as": "name", "parallel": "name"}
_STEP_ONLY = ("step", "as", "options", *LIMITS)
_GROUP_ONLY = ("lanes", "concurrency")
_GROUP_EXAMPLE = '{ parallel = "media", lanes = [["resize", "watermark"], "transcode"] }'

_GRANT = re.compile(r"(?P<verb>replace|remove|change) +(?P<pack>[^\s:]+) *: *(?P<step>\S+)")
_REQUIRED_EXAMPLE = '{ step = "acme-scan:scan_files", before = "upload_files", in = "*" }'


def read_changes(reader: TableReader, section: Section, value: object) -> AllChanges:
    """Read `[actions]` or `[workflows]`: changes by the name of the action or workflow."""
    return {
        name: _read_action(reader, section, name, table)
        for name, table in reader.table((section,), value).items()
    }


def read_workflows(reader: TableReader, value: object) -> AllChanges:
    """Read `[workflows]`, in which no workflows may extend each other in a cycle."""
    workflows = read_changes(reader, "workflows", value)
    reader.problems += check_cycles(workflows)
    _check_nesting(reader, workflows)
    return workflows


def _read_action(reader: TableReader, section: Section, name: str, value: object) -> Changes:
    path: Path = (section, name)
    found: dict[str, Any] = {}
    known = below(_ACTION) + (below("workflows.NAME") if section == "workflows" else ())
    for key, each in reader.table(path, value).items():
        here = (*path, key)
        if key not in known:
            hint = f"[workflows.{name}] may extend an action" if key == "extends" else ""
            reader.unknown(here, key, each, known, hint)
        else:
            # Those of a workflow may be what it is made of.
            limits = key == "steps" and (
                section == "actions" or isinstance(cast("object", each), dict)
            )
            field, read = _parts()["limits" if limits else key]
            found[field] = read(reader, here, each)
    if section == "workflows" and isinstance(value, dict):
        _check_made_by(reader, path, found)
    return Changes(
        name=name,
        section=section,
        origin=reader.origin(path),
        lines=reader.lines(path),
        **found,
    )


def _parts() -> dict[str, tuple[str, Callable[[TableReader, Path, object], Any]]]:
    """Return, for each key of an action or a workflow, the field of it and what reads it."""
    return {
        "params": ("params", TableReader.table),
        "insert": ("inserts", _inserts),
        "steps": ("steps", _steps),
        "limits": ("limits", _limits),
        "remove": ("removes", _removes),
        "wrap": ("wraps", _wraps),
        "chain": ("chain", _chain),
        "inputs": ("inputs", _inputs),
        "extends": ("extends", TableReader.text),
    }


def _check_made_by(reader: TableReader, path: Path, found: Mapping[str, Any]) -> None:
    """Check that a workflow says of what it is made, and only once."""
    given = [key for key in _MADE_BY if key in found]
    name = dotted(path)
    if not given:
        examples = 'extends = "upload"', 'steps = ["fetch", "publish"]', 'chain = ["upload"]'
        hints = [f"[{name}]  {example}" for example in examples]
        reader.problem(path, f"{name} neither extends an action nor has steps", *hints)
    elif len(given) > 1:
        has = [_HAS[key] for key in given if key in _HAS]
        told = f"has {' and '.join(has)}{' and extends an action' * ('extends' in given)}"
        place = next(key for key in given if key in _HAS)
        hint = 'keep one of them; steps beside those of the action:  insert = [{ step = "fetch" }]'
        reader.problem((*path, place), f"{name} {told}", hint)
    if "inputs" in found and "chain" not in given:
        reader.problem((*path, "inputs"), f"{name} has inputs, which are for a chain")


def _chain(reader: TableReader, path: Path, value: object) -> tuple[tuple[str, str], ...]:
    """Read the actions of a chain, by their names where one is used twice."""
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        listed = [(name, reader.text((*path, name), each)) for name, each in table.items()]
    else:
        names = [each.value.strip() for each in reader.names(path, value)]
        listed = [(each.rpartition(":")[2], each) for each in names]
    seen = [name for name, _ in listed]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    if twice is not None:
        hint = f'{dotted(path)} = {{ first = "{twice}", second = "{twice}" }}'
        reader.problem(path, f"{dotted(path)} has two actions called {twice}", hint)
    if not listed:
        reader.problem(path, f"{dotted(path)} names no action", f'{dotted(path)} = ["upload"]')
    return tuple((name, action) for name, action in listed if action)


def _inputs(reader: TableReader, path: Path, value: object) -> dict[str, str]:
    """Read the inputs of a chain; `export.source = "x"` is a table in a table of TOML."""
    found: dict[str, str] = {}
    for key, each in reader.table(path, value).items():
        inner = cast("dict[str, object]", each) if isinstance(each, dict) else {"": each}
        for name, source in inner.items():
            here = (*path, key, name) if name else (*path, key)
            found[f"{key}.{name}" if name else key] = reader.text(here, source)
    return {key: source for key, source in found.items() if source}


def _removes(reader: TableReader, path: Path, value: object) -> tuple[Removal, ...]:
    reader.names(path, value)
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return tuple(
        Removal(name=each.strip(), origin=reader.origin((*path, number)))
        for number, each in enumerate(listed)
        if isinstance(each, str) and each.strip()
    )


def _inserts(reader: TableReader, path: Path, value: object) -> tuple[Insert, ...]:
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
    return tuple(made)


def _steps(reader: TableReader, path: Path, value: object) -> tuple[Insert, ...]:
    """Read the steps and groups of a workflow, or the steps of a lane."""
    items = reader.items(path, value, "names of steps and tables", 'steps = ["fetch", "publish"]')
    made = [_step(reader, (*path, number), each) for number, each in enumerate(items)]
    return tuple(insert for insert in made if insert is not None)


def _step(reader: TableReader, path: Path, value: object) -> Insert | None:
    """Read a step or a group whose place is that in a list."""
    if not isinstance(value, dict):
        step = reader.text(path, value)
        return Insert(step=step, origin=reader.origin(path)) if step else None
    table = cast("dict[str, Any]", value)
    for key in (key for key in table if key in (*_SIDES, "if_missing")):
        message = f"{key} has no meaning here: the steps of {dotted(path[:3])} stand in their order"
        reader.problem((*path, key), message)
    return _insert(reader, path, table)


def _insert(reader: TableReader, path: Path, table: Mapping[str, Any]) -> Insert | None:
    before = len(reader.problems)
    own = {key: each for key, each in table.items() if key in LIMITS}
    found: dict[str, Any] = {"origin": reader.origin(path), "limits": _checked(reader, path, own)}
    rest = {key: each for key, each in table.items() if key not in LIMITS}
    for here, key, each in reader.fields(path, rest, _INSERT, name="call it `as`"):
        if key in _SIDES:
            if "side" in found:
                reader.problem(path, "an inserted step stands before or after one step, not both")
            found["side"], found["anchor"] = key, reader.text(here, each)
        elif key == "options":
            found["options"] = reader.table(here, each)
        elif key == "if_missing":
            found["if_missing"] = each
            if each not in ("error", "skip"):
                reader.problem(here, f'if_missing is {each!r}; it has to be "error" or "skip"')
        elif key == "lanes":
            found["lanes"] = _lanes(reader, here, each)
        elif key == "concurrency":
            found["concurrency"] = each
            if type(each) is not int or each < 1:
                reader.problem(here, f"concurrency is {each!r}; it has to be a number above 0")
        else:
            name = str(key)
            found[_NAMES.get(name, name)] = reader.text(here, each)
    _check_kind(reader, path, table)
    return Insert(**found) if len(reader.problems) == before else None


def _check_kind(reader: TableReader, path: Path, table: Mapping[str, Any]) -> None:
    """Check that a table is either of a step or of a group."""
    is_group = "parallel" in table
    if not is_group and "step" not in table:
        hint = 'insert = [{ step = "pack:step", before = "step" }]'
        reader.problem(path, f"item of {dotted(path[:-1])} names no step", hint)
        return
    for key in _STEP_ONLY if is_group else _GROUP_ONLY:
        if key in table:
            other = "a group, whose steps are in lanes" if is_group else "a step, not a group"
            hint = "" if is_group else f'parallel = "NAME", in place of step:  {_GROUP_EXAMPLE}'
            reader.problem((*path, key), f"{key} has no meaning for {other}", hint)
    if is_group and not table.get("lanes"):
        reader.problem(path, f"group '{table['parallel']}' has no lanes", _GROUP_EXAMPLE)


def _lanes(reader: TableReader, path: Path, value: object) -> tuple[tuple[Insert, ...], ...]:
    lanes: list[tuple[Insert, ...]] = []
    for number, lane in enumerate(reader.items(path, value, "lanes", _GROUP_EXAMPLE)):
        place = (*path, number)
        made = [_step(reader, place, lane)] if not isinstance(lane, list) else []
        if isinstance(lane, list):
            made += _steps(reader, place, cast("list[object]", lane))
        steps = tuple(step for step in made if step is not None)
        inner = [step.name for step in steps if step.lanes]
        for name in inner:
            message = f"group '{name}' stands in a lane of another group; groups do not nest"
            reader.problem(place, message, "give the outer group the lanes of the inner one")
        lanes.append(steps)
    return tuple(lane for lane in lanes if lane)


def _wraps(reader: TableReader, path: Path, value: object) -> tuple[Wrap, ...]:
    made: list[Wrap] = []
    for here, step, layers in _by_step(path, reader.table(path, value)):
        hint = f'wrap.{step} = ["{layers}"]' if isinstance(layers, str) else ""
        listed = reader.items(here, layers, "names of wrappers and tables", hint)
        for number, each in enumerate(listed):
            wrap = _wrap(reader, (*here, number), step, each)
            if wrap is not None:
                made.append(wrap)
    return tuple(made)


def _by_step(path: Path, table: Mapping[str, object]) -> Iterator[tuple[Path, str, object]]:
    """Yield path, step and value; `upload.initialize = []` is a table in a table of TOML."""
    for step, value in table.items():
        if isinstance(value, dict):
            inner = cast("dict[str, object]", value)
            yield from (((*path, step, own), f"{step}.{own}", each) for own, each in inner.items())
        else:
            yield (*path, step), step, value


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


def _limits(reader: TableReader, path: Path, value: object) -> tuple[Limiting, ...]:
    made: list[Limiting] = []
    for step, table in reader.table(path, value).items():
        place = (*path, step)
        known = {key: each for _, key, each in reader.fields(place, table, _STEP)}
        values = _checked(reader, place, known)
        if values:
            made.append(Limiting(name=step, values=values, origin=reader.origin(place)))
    return tuple(made)


def _checked(reader: TableReader, path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the valid ones of the limits for a step."""
    valid: dict[str, Any] = {}
    for key, each in values.items():
        # Whether a limit on the memory fits is known once the step is.
        alone = {key: each, "isolated": True} if key == "memory" else {key: each}
        try:
            changed_by(NO_LIMITS, NO_POLICY, alone)
            valid[key] = each
        except InvalidStepError as error:
            reader.problem((*path, key), f"{dotted(path)}: {error.message}")
    return valid


def _check_nesting(reader: TableReader, workflows: AllChanges) -> None:
    """Check that no chain has a chain, or what extends one, among its actions."""
    for workflow in workflows.values():
        for _, action in workflow.chain:
            name, seen = action, set[str]()
            while name in workflows and name not in seen and not workflows[name].chain:
                seen.add(name)
                name = workflows[name].extends
            if name in workflows and workflows[name].chain:
                message = f"the chain {workflow.name} has {action}, which is a chain itself"
                place: Path = ("workflows", workflow.name, "chain")
                reader.problem(place, message, "name the actions of that one")


def check_cycles(workflows: AllChanges) -> list[Problem]:
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
            problems.append(_cycle([workflows[each] for each in loop]))
        reported.update(path)
    return problems


def _cycle(loop: list[Changes]) -> Problem:
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


def read_grants(reader: TableReader, value: object) -> Grants:
    """Read `[grants]`: the edits that each pack may make to steps of other packs, by pack id."""
    found: dict[str, tuple[Value[str], ...]] = {}
    for key, each in reader.table(("grants",), value).items():
        path = ("grants", key)
        grants: list[Value[str]] = []
        for item in reader.names(path, each):
            match = _GRANT.fullmatch(item.value.strip())
            if match is None:
                reader.problem(
                    path,
                    f"grants.{key}: {item.value!r} is not a grant",
                    'write "replace PACK:STEP", "remove PACK:STEP" or "change PACK:STEP"',
                    line=int(item.source.rpartition(":")[2]),
                )
                continue
            grant = f"{match['verb']} {normalised(match['pack'])}:{match['step']}"
            grants.append(Value(value=grant, source=item.source, key=".".join(path)))
        name = normalised(key)
        found[name] = (*found.get(name, ()), *grants)
    return found


def read_local(reader: TableReader, value: object) -> tuple[LocalName, ...]:
    """Read `[local]`: what is in the project's own files, in the order of the settings file."""
    found: list[LocalName] = []
    for path, kind, table in reader.fields(("local",), value, "local"):
        for name, each in reader.table(path, table).items():
            here = (*path, name)
            target = reader.text(here, each)
            head, colon, attribute = target.rpartition(":")
            if target and not (head.strip() and colon and attribute.strip()):
                hint = f'{name} = "flows.py:{name}"'
                message = f"{dotted(here)} is {target!r}; it has to be FILE.py:NAME or MODULE:NAME"
                reader.problem(here, message, hint)
            elif target and (":" in name or not name.strip()):
                reader.problem(here, f"{dotted(here)}: a name has no colon and is not empty")
            elif target:
                origin = reader.origin(here)
                found.append(LocalName(kind=kind, name=name, target=target, origin=origin))
    return tuple(found)


@record
class Packs:
    """The contents of `[packs]`.

    Attributes:
        disable: Names in `packs.disable`.
        only: Names in `packs.only`, or None.
        tables: The table of each pack, by its normalised name.
        lines: Line of each key in those tables, by its path from the pack's name.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])


def read_packs(reader: TableReader, value: object, *, switches: bool = True) -> Packs:
    """Read `[packs]`; if not `switches`, only settings of packs are allowed."""
    found = Packs()
    for key, each in reader.table(("packs",), value).items():
        path = ("packs", key)
        if key in _SWITCHES and not switches:
            hint = "the project decides which packs are on; a policy says which are required"
            reader.unknown(path, key, each, (), hint)
        elif key == "disable":
            found.disable = reader.names(path, each)
        elif key == "only":
            names = tuple(name.value for name in reader.names(path, each))
            found.only = Value(value=names, source=reader.source(path), key=".".join(path))
        elif isinstance(each, dict):
            _read_pack(reader, path, cast("dict[str, Any]", each), found)
        else:
            allowed = "`disable`, `only`, or the table of a pack" if switches else "a table"
            message = f"packs.{key} is {type_of(each)}; it has to be {allowed}"
            near = did_you_mean(key, _SWITCHES) or f"known here: {', '.join(_SWITCHES)}"
            reader.problem(path, message, near if switches else "", code="unknown-setting")
    return found


def _read_pack(reader: TableReader, path: Path, table: dict[str, Any], found: Packs) -> None:
    name = normalised(str(path[-1]))
    if name in found.tables:
        reader.problem(path, f"[packs.{path[-1]}] is there twice, in different spellings")
    found.tables[name] = table
    for place, line in reader.lines(path).items():
        found.lines[(name, *place)] = line


def read_required(reader: TableReader, value: object) -> Requirements:
    """Read `[required]`: packs and steps that every plan must have."""
    packs: list[RequiredPack] = []
    steps: list[RequiredStep] = []
    for path, key, each in reader.fields(("required",), value, "required"):
        if key == "packs":
            for number, item in enumerate(reader.names(path, each)):
                origin = reader.origin((*path, number))
                made = parse_pack(item.value)
                if made is None:
                    message = (
                        f"required.packs: {item.value!r} is not a pack with or without a range"
                    )
                    reader.problem((*path, number), message, 'packs = ["acme-scan>=1.4,<2"]')
                else:
                    packs.append(RequiredPack(id=made[0], specifiers=made[1], origin=origin))
        else:
            for number, table in enumerate(reader.items(path, each, "tables", _REQUIRED_EXAMPLE)):
                step = _required_step(reader, (*path, number), table)
                if step is not None:
                    steps.append(step)
    return Requirements(packs=tuple(packs), steps=tuple(steps))


def _required_step(reader: TableReader, path: Path, value: object) -> RequiredStep | None:
    if not isinstance(value, dict):
        message = f"{dotted(path[:-1])} has {type_of(value)}; it has to be a list of tables"
        reader.problem(path, message, _REQUIRED_EXAMPLE)
        return None
    before = len(reader.problems)
    table = cast("Mapping[str, Any]", value)
    found: dict[str, Any] = {"origin": reader.origin(path)}
    for here, key, each in reader.fields(path, table, _REQUIRED_STEPS):
        if key in ("before", "after"):
            if "side" in found:
                reader.problem(path, "a required step stands before or after one step, not both")
            found["side"], found["anchor"] = key, reader.text(here, each)
        elif key == "in":
            found["within"] = _required_actions(reader, here, each)
        else:
            pack, colon, name = reader.text(here, each).partition(":")
            found["pack"], found["name"] = normalised(pack), name.strip()
            if not (colon and pack.strip() and name.strip()):
                message = f"required.steps: {each!r} does not say of which pack the step is"
                reader.problem(here, message, 'step = "acme-scan:scan_files"')
    if "step" not in table:
        reader.problem(path, "an item of required.steps names no step", _REQUIRED_EXAMPLE)
    elif "*" in found.get("within", ("*",)) and "side" not in found:
        # Without an anchor, every action, even an unrelated one, would need the step.
        message = 'required.steps: a step required in "*" has to stand before or after another'
        reader.problem(path, message, _REQUIRED_EXAMPLE, 'or name the action:  in = "upload"')
    return RequiredStep(**found) if len(reader.problems) == before else None


def _required_actions(reader: TableReader, path: Path, value: object) -> tuple[str, ...]:
    if value == []:
        reader.problem(
            path, "required.steps: `in` names no action, so nothing is required", 'in = "*"'
        )
    if isinstance(value, list):
        return tuple(name.value for name in reader.names(path, cast("list[object]", value)))
    return (reader.text(path, value),)


def read_text(reader: TableReader, section: str, value: object) -> Value[str] | None:
    """Return the value of the only key in a section, or None if there is no valid one."""
    found: Value[str] | None = None
    for path, key, each in reader.fields((section,), value, section):
        text = reader.text(path, each)
        if text:
            found = Value(value=text, source=reader.source(path), key=f"{section}.{key}")
    return found


def read_flag(reader: TableReader, key: str, value: object) -> Value[bool]:
    """Read a key that is true or false, such as `locked`."""
    return Value(value=reader.flag((key,), value), source=reader.source((key,)))


def read_project(reader: TableReader, value: object) -> Value[str] | None:
    """Read `[project]`: the name of the project."""
    found = read_text(reader, "project", value)
    if found is None or os.sep not in found.value:
        return found
    # A path would look like a project without a name, which journals identify by its folder.
    reader.problem(("project", "name"), "is a name, not a path")
    return None
