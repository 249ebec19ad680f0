"""PackContract: the promises of every pack, as tests to subclass."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from handrail import BaseStep, Problem
from handrail_testing.checks import CHECKS, examine
from handrail_testing.checks.metadata import project_of
from handrail_testing.checks.subject import Subject, record_of


class PackContract:
    """The promises of a pack; subclass it in a test file, and pytest runs them.

        class TestContract(PackContract):
            distribution = "acme-webp"
            context = make_context

    A test that does not apply to the pack, or needs an attribute that is not set, is skipped.

    Attributes:
        distribution: Name of the installed distribution.
        context: Returns a fresh context in which its steps succeed; with it they are run.
        world: Returns the state that its steps change; with it their undo is checked, by
            `check_undo`.
        imports: Third-party packages that its hooks may import, though every plan loads them.
        steps: Factories of steps whose class needs arguments, by the name of their entry point.
        actions: Actions that its hooks shape, to be planned besides its own.
        untried: Steps that cannot be run on their own, by the name of their entry point.
    """

    distribution: ClassVar[str] = ""
    context: ClassVar[Any] = None
    world: ClassVar[Any] = None
    imports: ClassVar[Sequence[str]] = ()
    steps: ClassVar[Mapping[str, Callable[[], BaseStep[Any]]]] = {}
    actions: ClassVar[Sequence[Any]] = ()
    untried: ClassVar[Sequence[str]] = ()

    def test_everything_it_offers_can_be_imported_and_used(self) -> None:
        """Entry points can be imported, and hooks have the right names and arguments."""
        self._demand("loads")

    def test_pyproject_and_installed_metadata_agree(self) -> None:
        """The installed metadata is that of the pyproject.toml beside the tests."""
        self._demand("metadata")

    def test_importing_it_stays_in_its_budget(self) -> None:
        """Hooks import nothing heavy, and all imports are required by the pack."""
        self._demand("imports")

    def test_importing_it_has_no_side_effects(self) -> None:
        """Importing writes no files, opens no connections, starts nothing and prints nothing."""
        self._demand("effects")

    def test_its_names_are_stable_and_unique(self) -> None:
        """Steps and actions always have the names of their entry points."""
        self._demand("names")

    def test_its_weights_are_in_range(self) -> None:
        """Each step has a weight from 0.0 to 1.0."""
        self._demand("weights")

    def test_its_rollback_data_survives_json(self) -> None:
        """Rollback data survives JSON."""
        self._demand("rollback")

    def test_its_steps_are_undone(self) -> None:
        """With `world`, each step is made to fail, undone, and shown to leave nothing behind."""
        self._demand("undo")

    def test_its_plan_does_not_depend_on_load_order(self) -> None:
        """Its hooks give the same plan each time, with other packs before and after it."""
        self._demand("plan")

    def test_its_layers_hide_no_failure_and_no_undo(self) -> None:
        """Its layers pass on what steps return and raise, or say `changes = True`."""
        self._demand("layers")

    def test_a_run_is_the_same_with_it(self) -> None:
        """Its observers hear every event, and its checks and performers change no outcome."""
        self._demand("runs")

    def test_can_skip_has_no_effect(self) -> None:
        """The skip checks of its steps change nothing."""
        self._demand("skip")

    def _demand(self, name: str) -> None:
        __tracebackhide__ = True
        check = next(each for each in CHECKS if each.name == name)
        verdict = examine(self._subject(), check)
        if verdict.status == "unchecked":
            # pytest knows this exception, and without pytest it does no harm.
            raise unittest.SkipTest(verdict.why)
        if verdict.status == "failed":
            lines = [line for problem in verdict.problems for line in _lines(problem)]
            raise AssertionError("\n".join([f"{check.promise}: not so", *lines]))

    @classmethod
    def _subject(cls) -> Subject:
        __tracebackhide__ = True
        known: Subject | None = cls.__dict__.get("_known_subject")
        if known is not None:
            return known
        if not cls.distribution:
            raise TypeError(
                f"{cls.__qualname__} names no pack: distribution = 'acme-webp', as in its "
                "pyproject.toml"
            )
        subject = Subject(
            record=record_of(cls.distribution),
            context=_function(cls, "context"),
            world=_function(cls, "world"),
            imports=cls.imports,
            steps=cls.steps,
            actions=cls.actions,
            untried=cls.untried,
            pyproject=_pyproject(cls),
        )
        cls._known_subject = subject
        return subject

    _known_subject: ClassVar[Subject | None] = None


def _function(cls: type, name: str) -> Callable[[], Any] | None:
    """Return an attribute that is called without arguments, in any notation.

    `context = make_context` in a class body turns a function into a method by accident.
    """
    found: Any = inspect.getattr_static(cls, name)
    if isinstance(found, staticmethod):
        return cast("Callable[[], Any]", cast("Any", found).__func__)
    if isinstance(found, classmethod) or (inspect.isfunction(found) and _takes_self(found)):
        return cast("Callable[[], Any]", getattr(cls(), name))
    return cast("Callable[[], Any] | None", found)


def _takes_self(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters), "") == "self"


def _pyproject(cls: type) -> Path | None:
    """Return the pyproject.toml of the pack, above the file of the test."""
    try:
        folder = Path(inspect.getfile(cls)).resolve().parent
    except (OSError, TypeError):
        return None
    found = project_of(folder, cast("Any", cls).distribution)
    return None if found is None else found[0]


def _lines(problem: Problem) -> list[str]:
    return [
        f"  {problem.message}",
        *(f"      {line}" for line in problem.details),
        *(f"      {line}" for line in problem.ways_out),
    ]
