"""The check that pyproject.toml and the installed metadata agree."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from handrail import Origin, Problem
from handrail.packs import GROUPS
from handrail_testing.checks.subject import Subject, UncheckedError


def project_of(folder: Path, distribution: str | None = None) -> tuple[Path, str] | None:
    """Return the nearest pyproject.toml from `folder` upwards, and the name of its project.

    Args:
        folder: The folder to start from.
        distribution: Name that its project must have; any unless given.
    """
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        try:
            name = str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if distribution is None or canonicalize_name(name) == canonicalize_name(distribution):
            return file, name
    return None


def agreement(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each difference between pyproject.toml and the installed metadata."""
    record = subject.record
    unbounded = bool(record.entry_points) and "handrail" not in _named(record.requires)
    if unbounded:
        yield subject.problem(
            "metadata-differs",
            f"{subject.origin} does not require handrail, so any version would do",
            'in pyproject.toml:  dependencies = ["handrail>=0.1,<0.2"]',
        )
    if subject.pyproject is None:
        if unbounded:
            return
        raise UncheckedError("its pyproject.toml is not here")
    text = subject.pyproject.read_text(encoding="utf-8")
    project: Mapping[str, Any] = tomllib.loads(text)["project"]
    again = f"install it again:  pip install -e {subject.pyproject.parent}"
    for key, written, installed in _compared(subject, project):
        if written != installed:
            line = _line_of(text, key)
            yield Problem(
                code="metadata-differs",
                message=f"{key}: pyproject.toml says {written}, installed is {installed}",
                origins=(Origin(file=str(subject.pyproject), line=line), subject.origin),
                details=(f"at {subject.pyproject}:{line}",),
                ways_out=(again,),
            )


def _compared(subject: Subject, project: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield `(key, written value, installed value)`."""
    record = subject.record
    version = project.get("version")
    if version is None:
        # It is computed when the pack is built; most packs have it as an attribute too.
        modules = [sys.modules.get(package.partition(".")[0]) for package in record.modules]
        version = next(filter(None, (getattr(each, "__version__", None) for each in modules)), None)
    if isinstance(version, str):
        yield "version", version, record.version
    points = project.get("entry-points", {})
    for group in GROUPS:
        written = {name: "".join(value.split()) for name, value in points.get(group, {}).items()}
        installed = {
            entry.name: "".join(entry.value.split())
            for entry in record.entry_points
            if entry.group == group
        }
        yield f'entry-points."{group}"', _listed(written), _listed(installed)
    if "dependencies" not in project.get("dynamic", ()):
        declared = _named(project.get("dependencies", ()))
        required = _named(text for text in record.requires if "extra" not in text)
        yield "dependencies", _listed(declared), _listed(required)


def _named(requirements: Any) -> dict[str, str]:
    """Return the range of each requirement by its name."""
    found: dict[str, str] = {}
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        clauses = sorted(map(str, requirement.specifier))
        found[canonicalize_name(requirement.name)] = ",".join(clauses)
    return found


def _listed(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}".strip() for name, value in sorted(values.items())) or "none"


def _line_of(text: str, key: str) -> int:
    wanted = key.replace("entry-points.", "project.entry-points.")
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith((key, f"[{wanted}")):
            return number
    return 1


def editable_source(distribution: str) -> Path | None:
    """Return the pyproject.toml of a distribution that is installed in editable form, if it is."""
    try:
        text = metadata.distribution(distribution).read_text("direct_url.json")
        origin: Mapping[str, Any] = json.loads(text or "{}")
        folder = Path(unquote(urlsplit(str(origin["url"])).path))
        found = project_of(folder, distribution)
    except (metadata.PackageNotFoundError, ValueError, KeyError, OSError):
        return None
    return found[0] if found is not None and "dir_info" in origin else None
