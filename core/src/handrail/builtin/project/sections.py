"""Reads the sections of a project file or a policy, whose values have the right types."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from handrail import Limits, RollbackPolicy
from handrail.builtin.project.file import SettingsFile, is_list, is_table
from handrail.builtin.project.keys import LIMITS
from handrail.builtin.project.project import foreign_project
from handrail.builtin.project.settings import (
    Changes,
    Choice,
    Grants,
    Insert,
    LocalName,
    RequiredPack,
    Requirements,
    Sections,
    Settings,
    Wrap,
    parse_pack,
)
from handrail.builtin.project.toml import Path as Place
from handrail.builtin.project.toml import leaves
from handrail.errors import InvalidStepError, Problem
from handrail.frozen import replace, values_of
from handrail.packs import Limiting, Removal, RequiredStep, Value, changed_by, normalised
from handrail.trust import read_file

Section = Literal["actions", "workflows"]
Table = Mapping[str, Any]

_GRANT = re.compile(r"(?P<verb>replace|remove|change) +(?P<pack>[^\s:]+) *: *(?P<step>\S+)")
_INSERT = '{ step = "pack:step", before = "step" }'
_GROUP = '{ parallel = "media", lanes = [["resize", "watermark"], "transcode"] }'
_REQUIRED = '{ step = "acme-scan:scan_files", before = "upload_files", in = "*" }'


def with_file(settings: Settings, path: Path, problems: list[Problem]) -> Settings:
    """Return `settings` with the values of the project file; problems are added to the list."""
    file = SettingsFile(name=path.name, root=settings.project.table, problems=problems)
    try:
        raw, distrusted = read_file(path)
    except OSError as error:
        file.problem((), f"cannot be read: {error.strerror or error}")
        return settings
    if distrusted is not None:  # The file was replaced after it was found.
        problems.append(foreign_project(distrusted))
        return settings
    file.read(raw)
    only = file.value("packs", "only")
    if only is not None:
        only = replace(only, value=tuple(only.value))
    own = Choice(disable=file.names("packs", "disable"), only=only)
    choices = (*settings.choices, own)
    return replace(settings, choices=choices, file=file, **values_of(sections_of(file)))


def sections_of(file: SettingsFile) -> Sections:
    """Return the sections of a file that was read; problems are added to it."""
    found = file.sections
    unset = Value(value=False, source="default")
    return Sections(
        packs={name: each for name, each in found.get("packs", {}).items() if is_table(each)},
        grants=_grants(file),
        actions=_changes_by_name(file, "actions"),
        workflows=_workflows(file),
        local=tuple(_local(file)),
        required=Requirements(packs=tuple(_packs(file)), steps=tuple(_required_steps(file))),
        locked=file.value("locked") or unset,
        journal=file.value("journal", "url"),
        executor=file.value("executor", "url"),
        strict_results=file.value("strict_results") or unset,
        name=_name(file),
    )


def _name(file: SettingsFile) -> Value[str] | None:
    found = file.value("project", "name")
    if found is None or os.sep not in found.value:
        return found
    # A path would look like a project without a name, which journals identify by its folder.
    file.problem(("project", "name"), "is a name, not a path")
    return None


def _grants(file: SettingsFile) -> Grants:
    """Return the edits that each pack may make to steps of other packs, by pack id."""
    found: dict[str, tuple[Value[str], ...]] = {}
    for pack in file.sections.get("grants", {}):
        grants = found.setdefault(normalised(pack), ())
        for number, each in enumerate(file.names("grants", pack)):
            match = _GRANT.fullmatch(each.value.strip())
            if match is None:
                message = f"grants.{pack}: {each.value!r} is not a grant"
                way = 'write "replace PACK:STEP", "remove PACK:STEP" or "change PACK:STEP"'
                file.problem(("grants", pack, number), message, way)
                continue
            text = f"{match['verb']} {normalised(match['pack'])}:{match['step']}"
            grants = (*grants, replace(each, value=text))
        found[normalised(pack)] = grants
    return found


def _local(file: SettingsFile) -> Iterator[LocalName]:
    """Yield what is in the project's own files, in the order of the settings file."""
    for kind, names in file.sections.get("local", {}).items():
        for name, target in names.items():
            path = ("local", kind, name)
            head, _, attribute = target.rpartition(":")
            if ":" in name or not name.strip():
                file.problem(path, f"{file.shown(path)}: a name has no colon and is not empty")
            elif not (head.strip() and attribute.strip()):
                message = f"{file.shown(path)} has to be FILE.py:NAME or MODULE:NAME"
                file.problem(path, message, f'{name} = "flows.py:{name}"')
            else:
                origin = file.origin(path)
                yield LocalName(kind=kind, name=name, target=target, origin=origin)


def _packs(file: SettingsFile) -> Iterator[RequiredPack]:
    for number, each in enumerate(file.names("required", "packs")):
        path = ("required", "packs", number)
        parsed = parse_pack(each.value)
        if parsed is None:
            message = f"required.packs: {each.value!r} is not a pack with or without a range"
            file.problem(path, message, 'packs = ["acme-scan>=1.4,<2"]')
        else:
            yield RequiredPack(id=parsed[0], specifiers=parsed[1], origin=file.origin(path))


def _required_steps(file: SettingsFile) -> Iterator[RequiredStep]:
    for number, table in enumerate(file.sections.get("required", {}).get("steps", ())):
        path = ("required", "steps", number)
        pack, _, name = table.get("step", "").partition(":")
        within = table.get("in", "*")
        within = (within,) if isinstance(within, str) else tuple(within)
        side, anchor = _place(file, path, table)
        if not (pack.strip() and name.strip()):
            file.problem(path, "required.steps: an item has to name a step of a pack", _REQUIRED)
        elif not within:
            file.problem(path, "required.steps: `in` names no action, so nothing is required")
        elif "*" in within and side is None:
            # Without an anchor, every action, even an unrelated one, would need the step.
            message = 'required.steps: a step required in "*" has to stand before or after another'
            file.problem(path, message, _REQUIRED, 'or name the action:  in = "upload"')
        else:
            yield RequiredStep(
                pack=normalised(pack),
                name=name.strip(),
                side=side,
                anchor=anchor or "",
                within=within,
                origin=file.origin(path),
            )


def _place(
    file: SettingsFile, path: Place, table: Table
) -> tuple[Literal["before", "after"] | None, str | None]:
    """Return the side of an anchor, and the anchor."""
    if "before" in table and "after" in table:
        file.problem(path, "a step stands before or after one step, not both")
    if "before" in table:
        return "before", table["before"]
    return ("after", table["after"]) if "after" in table else (None, None)


def _workflows(file: SettingsFile) -> Mapping[str, Changes]:
    workflows = _changes_by_name(file, "workflows")
    for name in workflows:
        reached, waiting = set[str](), [name]
        while waiting:
            each = workflows[waiting.pop()]
            for base in (each.extends, *(action for _, action in each.chain)):
                base = base.removeprefix("local:")
                if base in workflows and base not in reached:
                    reached.add(base)
                    waiting.append(base)
        if name in reached:
            message, way = f"the workflow {name} is made of itself", "let it extend an action"
            file.problem(("workflows", name), message, way, code="workflow-cycle")
    return workflows


def _changes_by_name(file: SettingsFile, section: Section) -> Mapping[str, Changes]:
    tables = file.sections.get(section, {})
    return {name: _changes(file, section, name, table) for name, table in tables.items()}


def _changes(file: SettingsFile, section: Section, name: str, table: Table) -> Changes:
    path: Place = (section, name)
    steps = table.get("steps", {})
    if section == "workflows":
        _check_made_of(file, path, table)
    return Changes(
        name=name,
        section=section,
        extends=table.get("extends", ""),
        chain=_chain(file, path, table.get("chain", ())),
        inputs=_inputs(file, (*path, "inputs"), table.get("inputs", {})),
        steps=_inserts(file, (*path, "steps"), steps) if is_list(steps) else (),
        params=table.get("params", {}),
        inserts=_inserts(file, (*path, "insert"), table.get("insert", ())),
        removes=tuple(
            Removal(name=step, origin=file.origin((*path, "remove", number)))
            for number, step in enumerate(table.get("remove", ()))
        ),
        wraps=tuple(_wraps(file, (*path, "wrap"), table.get("wrap", {}))),
        limits=tuple(
            _limits(file, (*path, "steps", step), values)
            for step, values in (steps.items() if is_table(steps) else ())
        ),
        origin=file.origin(path),
        file=file,
    )


def _check_made_of(file: SettingsFile, path: Place, table: Table) -> None:
    """Check that a workflow says of what it is made, and only once."""
    found = [key for key in ("extends", "steps", "chain") if table.get(key)]
    if is_table(table.get("steps")):
        found.remove("steps")  # They are limits.
    if len(found) != 1:
        examples = 'extends = "upload"', 'steps = ["fetch", "publish"]', 'chain = ["upload"]'
        message = f"{file.shown(path)} has {' and '.join(found) or 'none'} of"
        file.problem(path, f"{message} extends, steps and chain; it needs one", *examples)
    elif "inputs" in table and "chain" not in found:
        file.problem((*path, "inputs"), f"{file.shown(path)} has inputs, which are for a chain")


def _chain(file: SettingsFile, path: Place, value: Any) -> tuple[tuple[str, str], ...]:
    """Return the actions of a chain, by their names where one is used twice."""
    if is_table(value):
        return tuple(value.items())
    names = [action.rpartition(":")[2] for action in value]
    if len(set(names)) < len(names):
        way = 'chain = { first = "upload", second = "upload" }'
        file.problem((*path, "chain"), f"{file.shown(path)}.chain has an action twice", way)
    return tuple(zip(names, value, strict=True))


def _inputs(file: SettingsFile, path: Place, inputs: Table) -> Mapping[str, str]:
    """Return the outputs of which a chain takes its inputs, which may be in tables by action."""
    found = dict(leaves(inputs))
    for key, output in found.items():
        if not isinstance(output, str):
            file.problem((*path, *key), f"{file.shown((*path, *key))} has to be text")
    return {".".join(key): output for key, output in found.items()}


def _inserts(file: SettingsFile, path: Place, items: Iterable[str | Table]) -> tuple[Insert, ...]:
    return tuple(_insert(file, (*path, number), item) for number, item in enumerate(items))


def _insert(file: SettingsFile, path: Place, item: str | Table) -> Insert:
    """Return a step or a group; its name alone is a step."""
    table: Table = {"step": item} if isinstance(item, str) else item
    side, anchor = _place(file, path, table)
    lanes = [
        _inserts(file, (*path, "lanes", number), lane)
        if is_list(lane)
        else (_insert(file, (*path, "lanes", number), lane),)
        for number, lane in enumerate(table.get("lanes", ()))
    ]
    if not (any(lanes) if "parallel" in table else "step" in table):
        message = f"{file.shown(path)} names no step, and no group with lanes"
        file.problem(path, message, _INSERT, _GROUP)
    if_missing = table.get("if_missing", "error")
    if if_missing not in ("error", "skip"):
        file.problem(path, f'{file.shown(path)}.if_missing has to be "error" or "skip"')
    return Insert(
        step=table.get("step", ""),
        name=table.get("parallel") or table.get("as", ""),
        side=side or "end",
        anchor=anchor,
        options=table.get("options", {}),
        if_missing=if_missing,
        limits={key: value for key, value in table.items() if key in LIMITS},
        lanes=tuple(lane for lane in lanes if lane),
        concurrency=table.get("concurrency"),
        origin=file.origin(path),
    )


def _limits(file: SettingsFile, path: Place, values: Table) -> Limiting:
    for key, value in values.items():
        try:
            changed_by(Limits(), RollbackPolicy(), {key: value})
        except InvalidStepError as error:
            file.problem((*path, key), f"{file.shown((*path, key))}: {error.message}")
    return Limiting(name=str(path[-1]), values=values, origin=file.origin(path))


def _wraps(file: SettingsFile, path: Place, wraps: Mapping[str, Any]) -> Iterator[Wrap]:
    for step, layers in wraps.items():
        for number, item in enumerate(layers):
            place = (*path, step, number)
            options = {"use": item} if isinstance(item, str) else dict(item)
            use = options.pop("use", "")
            if not use:
                way = '{ use = "retry", attempts = 5 }'
                file.problem(place, f"{file.shown(place)} names no wrapper", way)
            yield Wrap(step=step, use=use, options=options, origin=file.origin(place))
