"""A policy is installed like a pack, read without being imported, and stands above everything."""

from __future__ import annotations

import sys

import pytest

from handrail.builtin.cli.commands.config import rows_of
from handrail.builtin.project.settings import settings_of
from handrail.errors import ExitCode, PackError, SettingsError
from handrail.hookspecs import ActionInfo
from handrail.origin import UNKNOWN
from handrail.packs.planner import plan_action
from handrail.registry import StepRegistry

POLICY = """
[required]
packs = ["acme-scan>=1.4,<2"]
"""


@pytest.fixture
def policy(garden):
    """A function that installs a policy."""

    def plant(text=POLICY, name="acme-policy", version="3.1.0"):
        package = name.replace("-", "_")
        return garden.plant(
            name,
            version,
            points={"policy": {name: package}},
            modules={
                f"{package}/__init__.py": "raise AssertionError('a policy is not imported')",
                f"{package}/handrail-policy.toml": text,
            },
        )

    return plant


def plan(packs):
    """Plan an empty action, for which only what is required counts."""
    info = ActionInfo(name="empty", lineage=("empty",), context_type=object, origin=UNKNOWN)
    return plan_action(info, StepRegistry(), packs)


def refused(packs):
    with pytest.raises((PackError, SettingsError)) as caught:
        plan(packs)
    codes = [problem.code for problem in caught.value.problems]
    return caught.value.exit_code, codes, [each.message for each in caught.value.problems]


def statuses(packs):
    return {record.id: (record.status, record.why) for record in packs.records}


def test_a_policy_requires_without_being_imported(garden, policy, packs):
    """What a policy requires is required; the listing names policy, file and line."""
    garden.plant("acme-scan")
    policy()
    found = packs("")
    assert statuses(found) == {
        "acme-policy": ("policy", "installed"),
        "acme-scan": ("required", "acme-policy 3.1.0, policy line 3"),
    }
    plan(found)
    assert "acme_policy" not in sys.modules
    assert ("policy", "acme-policy 3.1.0", "installed") in rows_of(settings_of(found))


def test_a_policy_is_found_where_its_distribution_is(garden, policy, packs, monkeypatch, tmp_path):
    """A folder of the same name that comes first on the path does not take its place."""
    policy()
    decoy = tmp_path / "decoy" / "acme_policy"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("")
    (decoy / "handrail-policy.toml").write_text("")
    monkeypatch.syspath_prepend(decoy.parent)
    assert refused(packs(""))[1] == ["required-pack-missing"]


@pytest.mark.parametrize(
    "flags",
    [
        {"no_packs": ("acme-policy",)},
        {"variables": {"HANDRAIL_NO_PACKS": "Acme_Policy"}},
        {"toml": '[packs]\ndisable = ["acme-policy"]\n'},
    ],
    ids=["flag", "variable", "project"],
)
def test_a_policy_cannot_be_switched_off(garden, policy, packs, flags):
    """Switching it off stops the plan; what it requires is required all the same."""
    policy()
    code, codes, _ = refused(packs(**flags))
    assert code is ExitCode.PACK
    assert sorted(codes) == ["required-pack-missing", "required-pack-off"]


def test_only_packs_leaves_a_policy_on(garden, policy, packs):
    """A list of the only packs need not name the policy, which brings nothing to a plan."""
    garden.plant("acme-scan")
    policy()
    found = packs("", only_packs=("acme-scan",))
    assert statuses(found)["acme-policy"] == ("policy", "installed")
    plan(found)


def test_a_policy_whose_file_is_gone_stops_the_plan(policy, packs):
    """A policy that cannot be read is no reason to go on without it."""
    planted = policy()
    planted.modules[1].unlink()
    code, codes, _ = refused(packs(""))
    assert code is ExitCode.PACK
    assert codes == ["policy-unreadable", "required-pack-broken"]


def test_a_policy_that_wants_another_core_stops_the_plan(garden, packs):
    """A policy that does not fit this core is not passed over, also where there are no steps."""
    garden.plant(
        "acme-policy",
        points={"policy": {"acme-policy": "acme_policy"}},
        modules={"acme_policy/__init__.py": "", "acme_policy/handrail-policy.toml": ""},
        requires=["handrail<0.1"],
    )
    assert refused(packs(""))[:2] == (ExitCode.PACK, ["required-pack-broken"])


@pytest.mark.parametrize("text", ["[required\n", '[required]\npakcs = ["a"]\n', "[actions.x]\n"])
def test_a_policy_that_cannot_be_understood_stops_the_plan(policy, packs, text):
    """So is one with a mistake in it; the sentence names policy, file and line."""
    policy(text)
    code, _, messages = refused(packs(""))
    assert code is ExitCode.PACK
    assert messages[0].startswith("handrail-policy.toml:")
    assert "acme-policy 3.1.0" in messages[0]


def test_a_policy_may_speak_of_any_action(garden, policy, packs):
    """An action of a policy that is not installed is a warning, also where it looks misspelt."""
    garden.plant("acme-a", points={"actions": {"ship": "acme_a:x"}}, modules={"acme_a.py": ""})
    policy('[required]\nsteps = [{ step = "acme-scan:scan_files", in = "shipp" }]\n')
    found = packs("")
    assert found.settings_problems == ()
    assert [problem.ways_out for problem in found.warnings] == [("did you mean ship?",)]


# HANDRAIL_POLICY


@pytest.mark.parametrize("wanted", ["acme-policy", "acme-policy>=3", "Acme_Policy >= 3, < 4"])
def test_a_wanted_policy_that_is_there(policy, packs, wanted):
    """A policy that HANDRAIL_POLICY wants, in its range, is listed with the variable."""
    policy("")
    found = packs("", variables={"HANDRAIL_POLICY": wanted})
    plan(found)
    assert statuses(found)["acme-policy"] == ("policy", f"HANDRAIL_POLICY={wanted}")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("acme-other", "acme-other, which is not installed"),
        ("acme-policy>=4", "wants acme-policy>=4, and acme-policy 3.1.0 is installed"),
        ("acme-policy, acme-other", "acme-other, which is not installed"),
        ("acme-policy acme-scan", "acme-scan, which is not a policy"),
    ],
)
def test_a_wanted_policy_that_is_absent_stops_the_plan(garden, policy, packs, wanted, said):
    """Without a policy that HANDRAIL_POLICY wants nothing is planned, with exit code 4."""
    garden.plant("acme-scan")
    policy("")
    code, codes, messages = refused(packs("", variables={"HANDRAIL_POLICY": wanted}))
    assert (code, codes) == (ExitCode.PACK, ["policy-missing"])
    assert said in messages[0]


def test_a_wanted_policy_that_cannot_be_read(packs):
    """A value that names no policy is an error, not no policy."""
    code, codes, _ = refused(packs("", variables={"HANDRAIL_POLICY": "acme policy>=="}))
    assert (code, codes) == (ExitCode.USAGE, ["bad-setting"])


# Tightening


def test_the_project_adds_to_what_is_required(garden, policy, packs):
    """The requirements of a policy and of the project hold together, the tightest range too."""
    garden.plant("acme-scan")
    policy()
    code, codes, messages = refused(packs('[required]\npacks = ["acme-scan>=1.5"]\n'))
    assert (code, codes) == (ExitCode.PACK, ["required-pack-version"])
    assert "handrail.toml:2 requires acme-scan>=1.5" in messages[0]


def test_of_policies_that_contradict_one_is_named(garden, policy, packs):
    """Two ranges that no version is in: whatever is installed, one of them is not met."""
    garden.plant("acme-scan")
    policy()
    policy('[required]\npacks = ["acme-scan<1"]\n', "acme-zero")
    _, codes, messages = refused(packs(""))
    assert codes == ["required-pack-version"]
    assert "acme-zero 3.1.0" in messages[0]


GRANT = "replace acme-scan:scan_files"


def test_grants_of_a_policy_are_all_there_are(policy, packs):
    """Where a policy has grants, they count, and a project cannot add to them."""
    policy(f'[grants]\nacme-turbo = ["{GRANT}"]\n')
    assert packs("").rules().grants == {"acme-turbo": frozenset({GRANT})}
    code, codes, messages = refused(packs(f'[grants]\nacme-other = ["{GRANT}"]\n'))
    assert (code, codes) == (ExitCode.USAGE, ["policy-loosened"])
    assert messages[0].startswith("handrail.toml:2: grants.acme-other")


def test_a_grant_for_a_pack_that_is_not_here_is_no_warning(policy, packs):
    """It allows nothing, and an edit that lacks a grant says which one."""
    policy(f'[grants]\nacme-turbo = ["{GRANT}"]\n')
    found = packs("")
    assert [each for each in found.warnings if "acme-turbo" in each.message] == []


def test_only_the_grants_of_every_policy_count(policy, packs):
    """Of several policies with grants the tightest wins."""
    policy(f'[grants]\nacme-turbo = ["{GRANT}", "remove acme-scan:report"]\n')
    policy(f'[grants]\nacme-turbo = ["{GRANT}"]\n', "acme-zero")
    assert packs("").rules().grants == {"acme-turbo": frozenset({GRANT})}


def test_a_policy_without_grants_leaves_them_to_the_project(policy, packs):
    """A policy that says nothing of grants does not take those of the project away."""
    policy("")
    assert packs(f'[grants]\nacme-turbo = ["{GRANT}"]\n').rules().grants == {
        "acme-turbo": frozenset({GRANT})
    }


def test_a_policy_locks(policy, packs):
    """`locked` of a policy is known with its source, and a project cannot take it back."""
    policy("locked = true\n")
    found = packs("")
    assert settings_of(found).locked.value is True
    assert settings_of(found).locked.source == "acme-policy 3.1.0, handrail-policy.toml:1"
    assert refused(packs("locked = false\n"))[1] == ["policy-loosened"]
    assert packs("locked = true\n").settings_problems == ()


# Settings of packs

MODEL = """
    from pydantic import BaseModel
    from handrail import PackInfo, hookimpl

    class Limits(BaseModel):
        size: int = 1

    class Scan(BaseModel):
        engine: str = "list"
        limits: Limits = Limits()

    @hookimpl
    def pack_info():
        return PackInfo(settings=Scan)
"""
FIXED = '[packs.acme-scan]\nengine = "clamav"\nlimits.size = 9\n'


def test_a_policy_sets_what_packs_are_set_to(garden, policy, packs):
    """A value of a policy is what the pack gets."""
    garden.plant_hooks(source=MODEL)
    policy(FIXED)
    (pack,) = packs('[packs.acme-scan]\nengine = "clamav"\n').contributors()
    assert (pack.settings.engine, pack.settings.limits.size) == ("clamav", 9)
    row = ("packs.acme-scan.engine", "clamav", "acme-policy 3.1.0, handrail-policy.toml:2")
    assert row in rows_of(settings_of(packs("")))


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"toml": '[packs.acme-scan]\nengine = "none"\n'}, "handrail.toml:2"),
        ({"variables": {"HANDRAIL_ACME_SCAN_ENGINE": "none"}}, "HANDRAIL_ACME_SCAN_ENGINE"),
        ({"variables": {"HANDRAIL_ACME_SCAN_LIMITS_SIZE": "3"}}, "HANDRAIL_ACME_SCAN_LIMITS_SIZE"),
        ({"pack_values": (("acme-scan", "engine", "none"),)}, "-p acme-scan.engine"),
    ],
)
def test_nothing_else_sets_what_a_policy_sets(garden, policy, packs, options, source):
    """Setting it to something else, anywhere, is an error that names both."""
    garden.plant_hooks(source=MODEL)
    policy(FIXED)
    with pytest.raises(SettingsError) as caught:
        packs(**options).contributors()
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"{source}: [packs.acme-scan] ")
    assert "a policy sets it to" in problem.message
    assert "acme-policy 3.1.0, handrail-policy.toml:" in problem.ways_out[0]


def test_policies_that_set_different_values_are_both_named(garden, policy, packs):
    """Two policies that fix one setting to different values contradict each other."""
    policy(FIXED)
    policy('[packs.acme_scan]\nengine = "none"\n', "acme-zero")
    code, codes, messages = refused(packs(""))
    assert (code, codes) == (ExitCode.PACK, ["policies-contradict"])
    assert 'acme-policy 3.1.0 sets packs.acme-scan.engine to "clamav"' in messages[0]
    assert 'acme-zero 3.1.0 to "none"' in messages[0]
