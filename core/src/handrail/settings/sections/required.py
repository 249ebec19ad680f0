"""Reads `[required]`: packs and steps that every plan must have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from handrail.settings.names import normalised
from handrail.settings.requirements import RequiredPack, RequiredStep, Requirements, parse_pack
from handrail.settings.table import Path, TableReader, dotted, type_of

STEPS = "required.steps"
EXAMPLE = '{ step = "acme-scan:scan_files", before = "upload_files", in = "*" }'


def read_required(reader: TableReader, value: object) -> Requirements:
    """Return the requirements in the section."""
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
            for number, table in enumerate(reader.items(path, each, "tables", EXAMPLE)):
                step = _step(reader, (*path, number), table)
                if step is not None:
                    steps.append(step)
    return Requirements(packs=tuple(packs), steps=tuple(steps))


def _step(reader: TableReader, path: Path, value: object) -> RequiredStep | None:
    if not isinstance(value, dict):
        message = f"{dotted(path[:-1])} has {type_of(value)}; it has to be a list of tables"
        reader.problem(path, message, EXAMPLE)
        return None
    before = len(reader.problems)
    table = cast("Mapping[str, Any]", value)
    found: dict[str, Any] = {"origin": reader.origin(path)}
    for here, key, each in reader.fields(path, table, STEPS):
        if key in ("before", "after"):
            if "side" in found:
                reader.problem(path, "a required step stands before or after one step, not both")
            found["side"], found["anchor"] = key, reader.text(here, each)
        elif key == "in":
            found["within"] = _within(reader, here, each)
        else:
            pack, colon, name = reader.text(here, each).partition(":")
            found["pack"], found["name"] = normalised(pack), name.strip()
            if not (colon and pack.strip() and name.strip()):
                message = f"required.steps: {each!r} does not say of which pack the step is"
                reader.problem(here, message, 'step = "acme-scan:scan_files"')
    if "step" not in table:
        reader.problem(path, "an item of required.steps names no step", EXAMPLE)
    elif "*" in found.get("within", ("*",)) and "side" not in found:
        # Without an anchor, every action, even an unrelated one, would need the step.
        message = 'required.steps: a step required in "*" has to stand before or after another'
        reader.problem(path, message, EXAMPLE, 'or name the action:  in = "upload"')
    return RequiredStep(**found) if len(reader.problems) == before else None


def _within(reader: TableReader, path: Path, value: object) -> tuple[str, ...]:
    if value == []:
        reader.problem(
            path, "required.steps: `in` names no action, so nothing is required", 'in = "*"'
        )
    if isinstance(value, list):
        return tuple(name.value for name in reader.names(path, cast("list[object]", value)))
    return (reader.text(path, value),)
