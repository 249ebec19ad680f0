"""Loads the settings from flags, the environment, the project file and defaults, in this order."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail import Origin
from handrail.builtin.project.choices import RECORDED, Choice
from handrail.builtin.project.project import Project, find_project
from handrail.builtin.project.settings import RequiredPack, Settings, parse_pack
from handrail.errors import Problem, SettingsError
from handrail.frozen import replace
from handrail.packs.configuration import Flags, Selection, Value
from handrail.suggest import near
from handrail.trust import SAFE_FOLDERS, safe_folder_problems

if TYPE_CHECKING:
    from pathlib import Path

NO_PACKS = "HANDRAIL_NO_PACKS"
ONLY_PACKS = "HANDRAIL_ONLY_PACKS"
POLICY = "HANDRAIL_POLICY"
JOURNAL = "HANDRAIL_JOURNAL"
EXECUTOR = "HANDRAIL_EXECUTOR"
VARIABLES = (
    *(NO_PACKS, ONLY_PACKS, POLICY, JOURNAL, EXECUTOR, SAFE_FOLDERS),
    "HANDRAIL_PROGRESS",
)


def read_settings(
    start: str | Path, environ: Mapping[str, str], flags: Flags | None = None
) -> tuple[Settings, tuple[Problem, ...]]:
    """Return the valid settings for work in `start`, and the problems of the others.

    Never raises for the contents of a file or variable, so that listings and diagnoses still work.
    """
    problems: list[Problem] = [*_unknown_variables(environ), *safe_folder_problems(environ)]
    try:
        project = find_project(start)
    except SettingsError as error:
        problems += error.problems
        project = Project(where=os.path.abspath(start))
    flags = flags or Flags()
    choices = (
        _choice(flags.no_packs, "--no-pack", flags.only_packs, "--only-packs"),
        _of_variables(environ) if flags.recorded is None else _of_run(flags.recorded),
    )
    settings = Settings(
        project=project,
        choices=choices,
        pack_values=flags.pack_values,
        variables={key: text for key, text in environ.items() if key.startswith("HANDRAIL_")},
        wanted_policies=_policies(environ.get(POLICY, ""), problems),
    )
    if project.file is not None:
        # Imported here, because many projects have no file.
        from handrail.builtin.project.sections import with_file  # noqa: PLC0415

        settings = with_file(settings, project.file, problems)
    if environ.get(EXECUTOR):
        settings = replace(settings, executor=Value(value=environ[EXECUTOR], source=EXECUTOR))
    return settings, tuple(problems)


def project_at(folder: str) -> str:
    """Return the identifier of the project at `folder` in journals; see `Settings.project_id`."""
    return read_settings(folder, {})[0].project_id


def _choice(
    disable: tuple[str, ...], of_disable: str, only: tuple[str, ...] | None, of_only: str
) -> Choice:
    return Choice(
        disable=tuple(Value(value=name, source=of_disable) for name in disable),
        only=None if only is None else Value(value=only, source=of_only),
    )


def _of_variables(environ: Mapping[str, str]) -> Choice:
    only = _names(environ[ONLY_PACKS]) if ONLY_PACKS in environ else None
    return _choice(_names(environ.get(NO_PACKS, "")), NO_PACKS, only, ONLY_PACKS)


def _of_run(recorded: Selection) -> Choice:
    return _choice(recorded.no_packs, RECORDED, recorded.only_packs, RECORDED)


def _policies(text: str, problems: list[Problem]) -> tuple[RequiredPack, ...]:
    """Return the policies required by HANDRAIL_POLICY: names with version ranges.

    They are separated by commas or spaces.
    """
    if not text:
        return ()
    words = re.sub(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*", r"\1", text)
    found: list[RequiredPack] = []
    origin = Origin(file=f"{POLICY}={text}")
    # A comma before an operator continues a version range; any other separates names.
    for word in re.split(r",(?![=~!<>])|\s+", words):
        made = parse_pack(word) if word else None
        if made is not None:
            found.append(RequiredPack(id=made[0], specifiers=made[1], origin=origin))
        elif word:
            problems.append(
                Problem(
                    code="bad-setting",
                    message=f"{POLICY}: {word!r} is not a policy with or without a range",
                    origins=(Origin(file=POLICY),),
                    ways_out=(f'{POLICY}="acme-policy>=3"',),
                )
            )
    return tuple(found)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _unknown_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each variable that looks like a misspelt one of ours.

    Other variables that begin with HANDRAIL_ may belong to a pack, such as its token.
    """
    return [
        Problem(
            code="unknown-variable",
            message=f"{name}: there is no such variable",
            origins=(Origin(file=name),),
            ways_out=(f"did you mean {known}?",),
        )
        for name in environ
        if name.startswith("HANDRAIL_") and name not in VARIABLES
        for known in near(name, VARIABLES, limit=1, cutoff=0.88)
    ]
