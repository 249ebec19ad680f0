"""The contract of packs that store files: an undo stays where its run worked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from forging import RecordedRun, filled, forgeries
from hypothesis import HealthCheck, given, settings

EXAMPLES = int(os.environ.get("HANDRAIL_FORGERIES", "20"))
WAYS = ("rollback", "resume")


@pytest.mark.slow
class ContainmentContract:
    """Derive yours with these attributes, and a fixture `recorded` that returns a run by its kind.

    A run has its `action`; it tells what is not its own as `outside()`, and what is left of it as
    `own()` and `stored()`.

    Attributes:
        kinds: The kinds of recorded runs; of the first, all is undone that can be.
        notes: The notes that its steps record, as step and key.
        fields: The fields of its context with text.
        names: Paths and keys that come near what it records.
        elsewhere: Notes, each with a value that leads elsewhere.
        previews: Kinds, each with what a preview of its undo says.
        shaped: Returns, for a strategy of names, one of values in the shapes that it records.
    """

    kinds: ClassVar[Sequence[str]]
    notes: ClassVar[Sequence[tuple[str, str]]]
    fields: ClassVar[Sequence[str]]
    names: ClassVar[Sequence[str]]
    elsewhere: ClassVar[Sequence[tuple[tuple[str, str], Any]]]
    previews: ClassVar[Sequence[tuple[str, Sequence[str]]]]
    shaped: ClassVar[Callable[[Any], Any]] = staticmethod(lambda names: names)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        found = {"kind": self.kinds, "way": WAYS, "leads": self.elsewhere, "said": self.previews}
        for name, values in found.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, values)

    def test_all_that_was_recorded_passes(self, recorded: Any, kind: str) -> None:
        """Nothing of an honest journal is refused, and all of it is undone."""
        run = recorded(kind)
        before = run.outside()
        run.go_on("rollback", run.action).check(0)
        assert run.outside() == before
        assert run.own() == set()

    def test_nothing_outside_is_touched(self, recorded: Any, kind: str, way: str) -> None:
        """A forged journal undoes, or is refused, and all that is not of its run stays as it is."""

        @settings(
            max_examples=EXAMPLES if way == "rollback" else EXAMPLES // 2,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(forgeries(self.notes, self.fields, self.names, self.shaped))
        def check(forged: Any) -> None:
            run = recorded(kind)
            run.forge(filled(forged, run.names()))
            before = run.outside()
            ended = run.go_on(way, run.action)
            assert run.outside() == before
            # To go on may fail, and is undone then; a completed run has nothing to resume.
            ended.check(*((0, 3, 5) if way == "rollback" else (0, 1, 2, 3, 5)))

        check()

    def test_what_leads_elsewhere_is_named_and_the_rest_is_undone(
        self, recorded: Any, leads: tuple[tuple[str, str], Any]
    ) -> None:
        """One sentence says which note it is; it ends with 5, and nothing of it was touched."""
        run: RecordedRun = recorded(self.kinds[0])
        note, value = leads[0], filled(leads[1], run.names())
        run.forge([("more", note, [value])])
        before = run.outside()
        ended = run.go_on("rollback", run.action)
        ended.check(5)
        assert run.outside() == before
        assert (value if isinstance(value, str) else value["url"]) in ended.told
        assert f"'{note[1]}'" in ended.told
        assert run.stored() == set()

    def test_the_preview_says_what_goes_and_changes_nothing(
        self, recorded: Any, said: tuple[str, Sequence[str]]
    ) -> None:
        run = recorded(said[0])
        before = run.everything()
        lines = run.preview(run.action)
        for part in said[1]:
            assert any(part in line for line in lines), lines
        assert run.everything() == before
