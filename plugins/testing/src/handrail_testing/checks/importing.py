"""The checks of a pack's imports and of their effects."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from handrail import Problem
from handrail_testing.checks.subject import Subject


def import_budget(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each import that hooks may not have, or the pack does not require."""
    pack = subject.origin
    own = {package.partition(".")[0] for package in subject.record.modules}
    free = own | _of_core() | {name.partition(".")[0] for name in subject.imports}
    reported: set[str] = set()
    for each in subject.importing.imports:
        top = each["module"].partition(".")[0]
        if top in free or top in reported:
            continue
        if each["door"] == "hooks":
            reported.add(top)
            yield subject.problem(
                "import-budget",
                f"{each['place']} imports {top}, which every plan then loads, "
                f"because the hooks of {pack} do",
                f"import {top} inside the execute that needs it",
                f'or raise the budget in the contract:  imports = ("{top}",)',
                f"or for one call:  handrail check {pack.pack} --allow-import {top}",
            )
        elif top not in subject.required:
            reported.add(top)
            yield subject.problem(
                "undeclared-import",
                f"{each['place']} imports {top}, which {pack} does not require",
                f"in pyproject.toml:  dependencies = [..., {_distribution_of(top)!r}]",
                f"or import {top} only where it is used, and say what is missing without it",
            )


def import_effects(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each effect that importing the pack has."""
    pack = subject.origin
    for each in subject.importing.failures:
        # Here, among other modules, it can be; so it needs one of those without importing it.
        yield Problem(
            code="import-failed",
            message=f"{each['module']} of {pack} cannot be imported by itself: {each['error']}",
            origins=(pack,),
            ways_out=("let it import what it needs, and leave sys.path and sys.modules alone",),
        )
    reported: set[str] = set()
    for each in subject.importing.effects:
        if each["what"] in reported:
            continue
        reported.add(each["what"])
        yield Problem(
            code="import-effect",
            message=f"importing {pack} {each['what']}",
            origins=(pack,),
            details=(f"at {each['place']}",) if each["place"] else (),
            ways_out=("do it in the step that needs it, not at the top of a module",),
        )
    if subject.importing.printed:
        lines = subject.importing.printed.splitlines()
        yield Problem(
            code="import-effect",
            message=f"importing {pack} prints {lines[0]!r}",
            origins=(pack,),
            details=tuple(lines[1:4]),
            ways_out=("take the print out; a step says what it does with context.log",),
        )


def _of_core() -> set[str]:
    """Return the top-level modules of the core and of its requirements."""
    required = metadata.distribution("handrail").requires or ()
    names = {"handrail", *(Requirement(text).name for text in required)}
    modules = {name.lower().replace("-", "_") for name in names}
    # pydantic's own parts, which a module of models may name.
    return modules | {"annotated_types", "pydantic_core", "typing_extensions"}


def _distribution_of(module: str) -> str:
    found = metadata.packages_distributions().get(module)
    return found[0] if found else module.replace("_", "-")
