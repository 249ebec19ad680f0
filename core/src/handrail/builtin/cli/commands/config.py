"""`handrail config`: every setting and where it came from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.journals import journal_address, relative_place
from handrail.builtin.cli.session import Session, session_of, takes_json
from handrail.builtin.cli.view.console import to_json
from handrail.builtin.cli.view.failure import problem_lines
from handrail.builtin.cli.view.table import Listing, reasons
from handrail.builtin.project.settings import Changes, Insert, Settings
from handrail.builtin.project.settings_checks import brief_source
from handrail.builtin.project.toml import leaves
from handrail.errors import ExitCode, SettingsError
from handrail.frozen import as_json, replace
from handrail.packs import RequiredStep, Value, normalised, variable_prefix
from handrail.redact import HIDDEN, shown, shown_url
from handrail.trust import SAFE_FOLDERS

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.packs import InstalledPacks, LoadedPack, PackRecord

Row = tuple[str, object, str]
"""The key, the value and the source of a setting."""


@click.command()
@takes_json
@click.pass_context
def config(ctx: click.Context) -> int:
    """Show every setting and where it came from.

    That is a flag, a variable, a file and its line, or a default. The order is: policy, flag,
    variable, the project's handrail.toml or [tool.handrail] in its pyproject.toml, default. Packs
    are imported, for the defaults of their settings. The exit code is 2 if a setting is not valid,
    and 4 if something required is missing.
    """
    session = session_of(ctx)
    found = session.packs
    loaded, unread, wrong = _loaded(found)
    problems = (*found.settings_problems, *wrong, *found.unmet)
    read = frozenset[str]().union(*(each.variables for each in loaded))
    rows = rows_of(session.settings, found.records, unread, read)
    rows += _defaults(loaded, {key for key, _, _ in rows}, found)
    rows.append(_journal(session))
    project = str(session.settings.project.folder)
    listing = Listing(
        json=lambda: {
            "project": project,
            "settings": [
                {"key": key, "value": value, "source": source} for key, value, source in rows
            ],
            "problems": as_json(problems),
        },
        title=[f"project {project}"],
        head=(reasons("SETTING"), reasons("VALUE"), reasons("FROM")),
        rows=((key, _text(value), brief_source(source)) for key, value, source in rows),
    )
    session.show(listing)
    if not session.json:
        for number, problem in enumerate(problems, 1):
            for line in problem_lines(session, problem, number):
                session.console.note(line)
    if found.settings_problems or wrong:
        return ExitCode.USAGE
    return ExitCode.PACK if found.unmet else ExitCode.DONE


def _loaded(
    packs: InstalledPacks,
) -> tuple[Sequence[LoadedPack], frozenset[str], tuple[Problem, ...]]:
    """Load the packs, for the types and the defaults of their settings.

    Returns those that can be loaded, the ids of packs of which is not known which settings are
    secrets, and the problems of settings. What else is wrong with a pack is for the doctor.
    """
    loaded, failed = packs.load_each(every=True)
    unread = {record.id for record, _ in failed}
    unread |= {record.id for record in packs.records if not record.is_used}
    errors = [error for _, error in failed if isinstance(error, SettingsError)]
    return loaded, frozenset(unread), tuple(each for error in errors for each in error.problems)


def _defaults(
    packs: Iterable[LoadedPack], given: Collection[str], found: InstalledPacks
) -> Iterator[Row]:
    """Yield the settings of packs that have their default."""
    names = {record.id: record.names for record in found.records}
    for pack in packs:
        for path, value in leaves(_dumped(pack.settings)):
            key = ".".join(path)
            if not any(f"packs.{name}.{key}" in given for name in names.get(pack.id, (pack.id,))):
                yield f"packs.{pack.id}.{key}", shown(key, value), "default"


def _dumped(settings: Any) -> Mapping[str, Any]:
    """Return the values of a model of settings, as they are in a file; secrets are hidden."""
    if not hasattr(settings, "model_dump"):
        return {}
    try:
        values: Mapping[str, Any] = settings.model_dump(mode="json", by_alias=True)
    except Exception:  # noqa: BLE001 - types of the pack's own
        return {}
    return values


def _journal(session: Session) -> Row:
    try:
        place = journal_address(session, None)
    except SettingsError:
        return "journal.url", None, "unknown"
    return "journal.url", shown_url(relative_place(session, place.value)), place.source


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else to_json(value)


def rows_of(
    settings: Settings,
    packs: Sequence[PackRecord] = (),
    unread: Collection[str] = (),
    variables: Collection[str] = (),
) -> list[Row]:
    """Return `(key, value, source)` for all settings, with the keys of the project file.

    Values of keys that look like secrets are redacted.

    Args:
        settings: The settings.
        packs: The installed packs, whose variables are listed too.
        unread: Ids of those whose values are all hidden.
        variables: The variables that packs read. Of others nobody knows whether they are secrets,
            so their values are hidden.
    """
    rows = [
        *_disabled(settings),
        *_only(settings),
        *_pack_settings(settings, packs, unread, variables),
    ]
    for pack, grants in sorted(settings.grants.items()):
        rows += [(f"grants.{pack}", grant.value, grant.source) for grant in grants]
    for section in (settings.actions, settings.workflows):
        for changes in section.values():
            rows += _changes(changes)
    rows += [
        (f"local.{each.kind}.{each.name}", each.target, each.origin.place)
        for each in settings.local
    ]
    rows += [("required.packs", each.wanted, each.source) for each in settings.required.packs]
    rows += [
        ("required.steps", _step(each), each.origin.source) for each in settings.required.steps
    ]
    rows += [("policy", str(policy.origin), "installed") for policy in settings.policies]
    rows += [("policy", each.wanted, each.source) for each in settings.wanted_policies]
    unset = Value(value=None, source="default")
    executor = settings.executor or Value(value="processes", source="default")
    single: tuple[tuple[str, Value[Any]], ...] = (
        ("project.name", settings.name or unset),
        ("locked", settings.locked),
        ("executor.url", replace(executor, value=shown_url(executor.value))),
        ("strict_results", settings.strict_results),
    )
    rows += [(key, found.value, found.source) for key, found in single]
    if SAFE_FOLDERS in settings.variables:
        rows.append(("safe_folders", settings.variables[SAFE_FOLDERS], SAFE_FOLDERS))
    return rows


def _disabled(settings: Settings) -> Iterator[Row]:
    by_source: dict[str, list[str]] = {}
    for choice in settings.choices:
        for name in choice.disable:
            by_source.setdefault(name.source, []).append(name.value)
    for source, names in (by_source or {"default": []}).items():
        yield "packs.disable", names, source


def _only(settings: Settings) -> Iterator[Row]:
    for choice in settings.choices:
        if choice.only is not None:
            yield "packs.only", list(choice.only.value), choice.only.source
            return
    yield "packs.only", None, "default"


def _pack_settings(
    settings: Settings,
    packs: Sequence[PackRecord],
    unread: Collection[str],
    variables: Collection[str],
) -> Iterator[Row]:
    """Yield the settings of packs; if several sources set a key, the strongest first."""
    ids = {normalised(name): record.id for record in packs for name in record.names}

    def row(pack: str, key: str, value: object, source: str) -> Row:
        hides = ids.get(normalised(pack)) in unread
        return f"packs.{pack}.{key}", HIDDEN if hides else shown(key, value), source

    for policy in settings.policies:
        for path, value, origin in policy.fixed():
            yield row(path[0], ".".join(path[1:]), value, origin.source)
    for pack, key, text in settings.pack_values:
        yield row(pack, key, text, f"-p {pack}.{key}")
    by_prefix = {variable_prefix(record.id): record.id for record in packs}
    for variable, text in sorted(settings.variables.items()):
        # The name of a pack may begin with that of another; take the longest.
        prefix = max((each for each in by_prefix if variable.startswith(each)), key=len, default="")
        if prefix:
            key = variable.removeprefix(prefix).lower()
            yield row(by_prefix[prefix], key, text if variable in variables else HIDDEN, variable)
    for pack, table in sorted(settings.packs.items()):
        for path, value in leaves(table):
            yield row(pack, ".".join(path), value, settings.source_of(pack, *path))


def _made_of(changes: Changes, key: str) -> Iterator[Row]:
    """Yield what a workflow is made of."""
    if changes.extends:
        yield f"{key}.extends", changes.extends, changes.source_of("extends").place
    for name, action in changes.chain:
        text = action if action.rpartition(":")[2] == name else f"{action} as {name}"
        yield f"{key}.chain", text, changes.source_of("chain", name).place
    for target, value in changes.inputs.items():
        source = changes.source_of("inputs", *target.split("."))
        yield f"{key}.inputs.{target}", value, source.place
    for step in changes.steps:
        yield f"{key}.steps", _brought(step), step.origin.place


def _changes(changes: Changes) -> Iterator[Row]:
    key = f"{changes.section}.{changes.name}"
    yield from _made_of(changes, key)
    for path, value in leaves(changes.params):
        source = changes.source_of("params", *path)
        yield f"{key}.params.{'.'.join(path)}", shown(path[-1], value), source.place
    for insert in changes.inserts:
        place = "" if insert.anchor is None else f" {insert.side} {insert.anchor}"
        yield f"{key}.insert", f"{_brought(insert)}{place}", insert.origin.place
    for remove in changes.removes:
        yield f"{key}.remove", remove.name, remove.origin.place
    for wrap in changes.wraps:
        value = f"{wrap.use}{_options(wrap.options)}"
        yield f"{key}.wrap.{wrap.step}", value, wrap.origin.place
    for limits in changes.limits:
        for name, value in limits.values.items():
            source = changes.source_of("steps", limits.name, name)
            yield f"{key}.steps.{limits.name}.{name}", value, source.place


def _brought(insert: Insert) -> str:
    """Return a step with its options, or a group with its lanes, in one line."""
    if insert.lanes:
        lanes = " | ".join(", ".join(map(_brought, lane)) for lane in insert.lanes)
        limit = "" if insert.concurrency is None else f", {insert.concurrency} at a time"
        return f"{insert.name} [{lanes}]{limit}"
    name = f" as {insert.name}" if insert.name else ""
    return f"{insert.step}{_options({**insert.options, **insert.limits})}{name}"


def _options(options: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{key}={shown(key, value)!r}" for key, value in options.items())
    return f"({listed})" if listed else ""


def _step(step: RequiredStep) -> str:
    return f"{step.where} in {', '.join(step.within)}"
