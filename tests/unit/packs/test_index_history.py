"""Whatever happens to an installation, the kept index never tells anything but the truth."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import handrail.packs.snapshot
from handrail.packs.index import read_index

NAMES = st.sampled_from(["acme-scan", "acme-webp", "other"])
VERSIONS = st.sampled_from(["1.0", "1.1", "2.0rc1"])
GROUPS = st.sampled_from(["steps", "packs", "x.y"])


class Installation(RuleBasedStateMachine):
    """Installs, upgrades, edits, damages and removes; compares with a reading from scratch."""

    garden_class: type

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.garden = self.garden_class(self.folder)
        self.plants = {}
        self.count = 0

    def teardown(self):
        shutil.rmtree(self.folder)

    def change(self):
        # Two changes within one tick of the clock can look like one.
        time.sleep(0.012)
        self.count += 1

    @rule(name=NAMES, version=VERSIONS, group=GROUPS)
    def install(self, name, version, group):
        """Install, or upgrade in place."""
        self.change()
        if name in self.plants:
            self.plants.pop(name).uproot()
        module = name.replace("-", "_")
        self.plants[name] = self.garden.plant(
            name, version, points={group: {"thing": f"{module}.steps:Thing"}}
        )

    @rule(name=NAMES)
    def uninstall(self, name):
        if name in self.plants:
            self.change()
            self.plants.pop(name).uproot()

    @rule(name=NAMES, group=GROUPS)
    def edit_entry_points(self, name, group):
        if name in self.plants:
            self.change()
            module = name.replace("-", "_")
            self.plants[name].entry_points.write_text(
                f"[handrail.{group}]\nthing{self.count % 10} = {module}.steps:Thing\n"
            )

    @rule(name=NAMES)
    def edit_metadata(self, name):
        if name in self.plants:
            self.change()
            self.plants[name].metadata.write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.{self.count % 10}\n"
            )

    @rule(name=NAMES)
    def lose_a_module(self, name):
        if name in self.plants:
            self.change()
            self.plants[name].modules[1].unlink(missing_ok=True)

    @rule(name=NAMES)
    def find_it_again(self, name):
        if name in self.plants:
            self.change()
            self.plants[name].modules[1].write_text("")

    @rule(cut=st.integers(0, 5000))
    def damage_the_index(self, cut):
        file = self.garden.index
        if file.exists():
            file.write_bytes(file.read_bytes()[:cut])

    @invariant()
    def kept_index_is_true(self):
        truth = read_index(self.garden.path, cache=None).records
        for _ in range(2):
            assert read_index(self.garden.path, cache=self.garden.cache).records == truth


@pytest.mark.usefixtures("settled")
def test_history(garden):
    """After any sequence of changes, the kept index equals a reading from scratch."""
    assert handrail.packs.snapshot._TICK == 0
    Installation.garden_class = type(garden)
    machine = Installation.TestCase
    machine.settings = settings(
        max_examples=15,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    machine().runTest()
