"""Which packs are on, and why, from settings and versions."""

from __future__ import annotations

import pytest

import handrail
from handrail.packs.configuration import Flags, configuration_at
from handrail.packs.record import EntryPoint, PackRecord


def record(name, **values):
    return PackRecord(id=name, name=name, version="1.0", **values)


HOOKS = EntryPoint(group="handrail.packs", name="scanner", value="acme_scan.hooks")
RECORDS = (record("acme-scan", entry_points=(HOOKS,)), record("acme-webp"))


@pytest.fixture
def choose(tmp_path):
    """A function that decides about two packs from flags, variables and a project file."""

    def decided(*, toml="", variables=None, records=RECORDS, **flags):
        (tmp_path / "handrail.toml").write_text(toml)
        chosen = Flags(environ=variables or {}, **flags)
        return configuration_at(str(tmp_path), chosen, records)

    return decided


def states(decision):
    return {each.id: (each.status, each.why) for each in decision.records}


def test_installed_means_on(choose):
    """Without settings every pack is on, because it is installed."""
    assert set(states(choose()).values()) == {("on", "installed")}


@pytest.mark.parametrize("name", ["acme-scan", "Acme_Scan", "acme.scan", "scanner", "SCANNER"])
def test_names_in_any_spelling(choose, name):
    """A pack is switched off by its distribution name in any spelling, or that of its hooks."""
    decision = choose(no_packs=(name,))
    assert states(decision)["acme-scan"] == ("off", "--no-pack")
    assert states(decision)["acme-webp"][0] == "on"
    assert decision.findings().warnings == ()


def test_distribution_names_come_first(choose):
    """Hooks that are called like another distribution do not make it mean both."""
    hooks = EntryPoint(group="handrail.packs", name="acme-scan", value="acme_rogue.hooks")
    records = (*RECORDS, record("acme-rogue", entry_points=(hooks,)))
    decision = choose(records=records, only_packs=("acme-scan",))
    assert [each.id for each in decision.records if each.status == "on"] == ["acme-scan"]


def test_reason_names_the_line(choose):
    """A pack that the project switches off says in which line."""
    decision = choose(toml='[packs]\ndisable = [\n  "acme-webp",\n]\n')
    assert states(decision)["acme-webp"] == ("off", "handrail.toml:3  packs.disable")


@pytest.mark.parametrize(
    ("toml", "variables", "flags", "why"),
    [
        ("", {}, {"only_packs": ("acme-scan",)}, "not in --only-packs"),
        ("", {"HANDRAIL_ONLY_PACKS": "scanner"}, {}, "not in HANDRAIL_ONLY_PACKS"),
        ('[packs]\nonly = ["acme-scan"]', {}, {}, "not in handrail.toml:2  packs.only"),
    ],
)
def test_only(choose, toml, variables, flags, why):
    """Where only some packs are wanted, the others are off and say who wants it so."""
    decision = choose(toml=toml, variables=variables, **flags)
    assert states(decision) == {"acme-scan": ("on", "installed"), "acme-webp": ("off", why)}


def test_only_nothing(choose):
    """An empty list of only packs, by flag or variable, switches off all."""
    for options in ({"only_packs": ()}, {"variables": {"HANDRAIL_ONLY_PACKS": ""}}):
        assert {status for status, _ in states(choose(**options)).values()} == {"off"}


def test_the_stronger_source_decides(choose):
    """A flag beats a variable, and that the project, also where one says on and the other off."""
    off = '[packs]\ndisable = ["acme-scan"]'
    assert states(choose(toml=off, only_packs=("acme-scan",)))["acme-scan"][0] == "on"
    only = '[packs]\nonly = ["acme-webp"]'
    variables = {"HANDRAIL_ONLY_PACKS": "acme-scan"}
    assert states(choose(toml=only, variables=variables))["acme-scan"][0] == "on"
    assert states(choose(toml=only, variables=variables, no_packs=("acme-scan",)))["acme-scan"] == (
        "off",
        "--no-pack",
    )
    both = {"HANDRAIL_NO_PACKS": "acme-scan", "HANDRAIL_ONLY_PACKS": "acme-scan"}
    assert states(choose(variables=both))["acme-scan"] == ("off", "HANDRAIL_NO_PACKS")


def test_unknown_name_to_disable_is_a_warning(choose):
    """A name to switch off that no pack has is told with near names, and stops nothing."""
    decision = choose(toml='[packs]\ndisable = ["acme-scam"]', no_packs=("zzz",))
    assert decision.findings().problems == ()
    first, second = sorted(decision.findings().warnings, key=lambda problem: problem.message)
    assert first.message == "--no-pack: no installed pack is called zzz"
    assert second.message == (
        "handrail.toml:2  packs.disable: no installed pack is called acme-scam"
    )
    assert second.ways_out == ("did you mean acme-scan?",)
    assert (second.origins[0].file, second.origins[0].line) == ("handrail.toml", 2)


def test_unknown_name_to_use_only_is_an_error(choose):
    """A name to use only that no pack has is an error: the run would lack what was asked for."""
    decision = choose(only_packs=("acme-scam",))
    (problem,) = decision.findings().problems
    assert problem.message == "--only-packs: no installed pack is called acme-scam"
    assert problem.ways_out == ("did you mean acme-scan?",)


def test_unknown_tables_are_warnings(choose):
    """Settings of a pack that is not installed are told with their line."""
    (problem,) = choose(toml="[packs.acme-x]\na = 1\n").findings().warnings
    assert problem.message == "handrail.toml:1: no installed pack is called acme-x"


def test_a_pack_that_wants_another_core_is_incompatible(choose, monkeypatch):
    """It says what it wants and what this is, and the way out."""
    monkeypatch.setattr(handrail, "__version__", "0.3.1")
    (found,) = choose(records=[record("acme-old", requires=("handrail>=0.4",))]).records
    assert (found.status, found.why) == ("incompatible", "wants handrail>=0.4, this is 0.3.1")
    assert found.problems[0].message == "acme-old 1.0 wants handrail>=0.4, this is 0.3.1"
    assert any("--no-pack acme-old" in way for way in found.problems[0].ways_out)


def test_off_beats_broken_and_incompatible(choose):
    """A pack that is switched off is off, whatever else is wrong with it: that is the way out."""
    records = [
        record("acme-old", requires=("handrail>9",)),
        record("acme-thumbs", status="broken", why="it was dropped"),
    ]
    decision = choose(records=records, no_packs=("acme-old", "acme-thumbs"))
    assert {status for status, _ in states(decision).values()} == {"off"}


def test_order(choose):
    """Packs that are used come first, then those that are off, then those that are unusable."""
    records = [
        record("a", status="broken"),
        record("b", requires=("handrail>9",)),
        record("c"),
        record("z"),
        record("d"),
    ]
    decision = choose(records=records, no_packs=("c",))
    assert [each.id for each in decision.records] == ["d", "z", "c", "b", "a"]
