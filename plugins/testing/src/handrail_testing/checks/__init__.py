"""The contract of packs: one check for each promise, each with the ways out.

A check yields problems, and none when all is well. It raises `UncheckedError` if it does not apply,
or lacks something that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from handrail import Problem
from handrail.frozen import as_json
from handrail_testing.checks.importing import import_budget, import_effects
from handrail_testing.checks.layers import layers
from handrail_testing.checks.metadata import agreement
from handrail_testing.checks.offers import names, weights
from handrail_testing.checks.planned import load_order
from handrail_testing.checks.running import rollback_data, skip_effects, undo
from handrail_testing.checks.subject import Subject, UncheckedError
from handrail_testing.checks.trial_run import in_runs

Status = Literal["passed", "failed", "warned", "unchecked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise.

    Attributes:
        name: Short and stable, such as `imports`.
        promise: The promise, in a sentence.
        examine: Yields the problems of a pack.
        warnings: Codes of problems that are warnings and not failures.
    """

    name: str
    promise: str
    examine: Callable[[Subject], Iterable[Problem]]
    warnings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of one check.

    Attributes:
        check: The check.
        status: `passed`, `failed`, `warned` or `unchecked`.
        problems: The problems that it found.
        why: The reason if it is unchecked.
    """

    check: Check
    status: Status
    problems: tuple[Problem, ...] = ()
    why: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        told = {"name": self.check.name, "promise": self.check.promise, "status": self.status}
        return {**told, "why": self.why, "problems": as_json(self.problems)}


def loads(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for everything that cannot be imported, and for each mistake in a hook."""
    yield from subject.load_problems


CHECKS = (
    Check(name="loads", promise="what it offers can be imported and used", examine=loads),
    Check(
        name="metadata",
        promise="pyproject.toml and what is installed agree",
        examine=agreement,
    ),
    Check(
        name="imports",
        promise="it imports what it requires, and its hooks import nothing heavy",
        examine=import_budget,
    ),
    Check(name="effects", promise="importing it has no side effects", examine=import_effects),
    Check(name="names", promise="names are stable and unique", examine=names),
    Check(name="weights", promise="weights are from 0.0 to 1.0", examine=weights),
    Check(name="rollback", promise="rollback data survives JSON", examine=rollback_data),
    Check(
        name="plan",
        promise="the plan does not depend on load order",
        examine=load_order,
        warnings=frozenset({"idle-hook", "not-planned", "slow-hooks"}),
    ),
    Check(name="layers", promise="its layers hide no failure and no undo", examine=layers),
    Check(name="runs", promise="a run is the same with it as without it", examine=in_runs),
    Check(name="skip", promise="can_skip has no effect", examine=skip_effects),
    Check(
        name="undo",
        promise="what its steps do is undone, also after a kill",
        examine=undo,
        warnings=frozenset({"no-undo"}),
    ),
)


def examine(subject: Subject, check: Check) -> Verdict:
    """Return the result of one check; a pack that does not load is unchecked by most of them."""
    if check.examine is not loads and check.examine is not agreement and subject.load_problems:
        return Verdict(check=check, status="unchecked", why="it does not load")
    try:
        problems = tuple(check.examine(subject))
    except UncheckedError as reason:
        return Verdict(check=check, status="unchecked", why=str(reason))
    if not problems:
        return Verdict(check=check, status="passed")
    only_warns = check.warnings.issuperset(problem.code for problem in problems)
    return Verdict(check=check, status="warned" if only_warns else "failed", problems=problems)
