"""Questions to a plan: why a step is there, who was asked what, what a pack changes."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow  # Hundreds of commands: with one Python.


def document(done):
    return json.loads(done.stdout)


def test_a_plan_names_a_step_that_can_be_explained(yard):
    """The hint has a step that a pack inserted, and the command in it works."""
    done = yard("plan", "ship")
    hint = next(line for line in done.stdout.splitlines() if "Why a step is here: " in line)
    command = hint.partition("Why a step is here: handrail ")[2].split()
    assert command == ["plan", "ship", "--explain", "scan"]
    assert yard(*command).stdout.startswith("scan · step 2 of 5 of ship · plan ")


def test_a_plan_without_edits_has_no_hint(yard):
    """There is nothing to explain."""
    assert "Why a step" not in yard("plan", "ship", "--only-packs", "acme-ship").stdout


def test_explain_shows_the_chain_with_file_and_line(yard):
    """From the step, over another pack's step, to the action's own."""
    lines = yard("plan", "ship", "--explain", "audit").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["STEP", "WHAT", "WAS", "DONE", "BY", "WHERE"],
        ["audit", "inserted", "after", "scan", "acme-audit", "2.0.1", "acme_audit/__init__.py:10"],
        ["scan", "inserted", "before", "send", "acme-scan", "1.4.0", "acme_scan/__init__.py:9"],
        ["send", "base", "acme-ship", "0.3.0", "acme_ship/__init__.py:7"],
    ]


def test_explain_names_the_grant_and_where_it_stands(yard):
    """Both for a step that was replaced and for one that was removed."""
    source = """
from handrail import hookimpl, step
@step
def turbo(context): ...
@hookimpl
def setup_steps(action, registry):
    registry.replace("send", turbo)
    registry.unregister("initialize")
"""
    yard.plant("acme-turbo", "0.4", source, packs={"turbo": "acme_turbo"})
    (yard.project / "handrail.toml").write_text(
        '[grants]\nturbo = [\n  "replace acme-ship:send",\n  "remove acme-ship:initialize",\n]\n'
    )
    replaced = yard("plan", "ship", "--explain", "send").stdout
    assert "turbo · step 3 of 4 of ship" in replaced
    assert "replaced by turbo" in replaced
    assert 'allowed: "replace acme-ship:send"' in replaced
    assert "handrail.toml:3" in replaced
    removed = yard("plan", "ship", "--explain", "initialize")
    assert removed.returncode == 0
    assert removed.stdout.startswith(
        "initialize · not in the plan of ship: removed by acme-turbo 0.4 · plan"
    )
    assert "acme_turbo/__init__.py:8" in removed.stdout
    link = document(yard("plan", "ship", "--explain", "initialize", "--json"))["links"][-1]
    assert (link["kind"], link["grant"]) == ("removed", "remove acme-ship:initialize")
    assert link["grant_source"].startswith("handrail.toml:")


def test_explain_a_step_whose_pack_is_off(yard):
    """It tells which pack has it, and the flag or line that put it off; that is an answer."""
    done = yard("plan", "ship", "--explain", "scan", "--no-pack", "scan", "--no-pack", "acme-audit")
    assert done.returncode == 0, done.stderr
    assert "acme-scan 1.4.0 offers it, and is off: --no-pack" in done.stdout
    found = document(
        yard("plan", "ship", "--explain", "scan", "--only-packs", "acme-ship", "--json")
    )
    assert (found["place"], found["links"]) == (None, [])
    assert found["offered_by"][0]["status"] == "off"


def test_explain_a_step_that_is_on_and_not_used(yard):
    """Offered by a pack, and put nowhere by anybody."""
    yard.plant("acme-more", "1.0", "more = None", steps={"more": "acme_more:more"})
    done = yard("plan", "ship", "--explain", "more")
    assert "acme-more 1.0 offers it, and is on, but nobody puts it into ship" in done.stdout


def test_explain_an_unknown_step_ends_with_2(yard):
    """With near names, and the packs that were not asked."""
    done = yard("plan", "ship", "--explain", "scn", "--no-pack", "acme-audit")
    assert done.returncode == 2
    assert "did you mean scan?" in done.stderr
    assert "off, so not asked: acme-audit (--no-pack)" in done.stderr


def test_trace_shows_hook_by_hook_what_was_answered(yard):
    """Steps about which a hook had nothing to say are only counted."""
    ours = ("--only-packs", "acme-audit,acme-scan,acme-ship")  # Others may be installed.
    lines = yard("plan", "ship", "--trace", *ours).stdout.splitlines()
    assert lines == [
        "ship · 2 packs, 10 questions, 3 answered",
        "acme-audit 2.0.1",
        "  setup_steps: audit after scan",
        "acme-scan 1.4.0",
        "  insert_before send: scan",
        "  insert_before 3 other steps: None",
        "  wrap_step send: TimingStep",
        "  wrap_step 3 other steps: None",
        "  check_plan: no problem",
    ]


def test_trace_comes_before_the_error_of_a_plan_that_has_problems(yard):
    """That is when it is wanted most; as JSON both are in one document."""
    done = yard("plan", "ship", "--trace", "--no-pack", "acme-scan")
    assert done.returncode == 3
    assert "setup_steps: audit after scan" in done.stdout
    assert "unknown anchor" in done.stderr
    done = yard("plan", "ship", "--trace", "--no-pack", "acme-scan", "--json")
    found = document(done)
    assert done.returncode == 3
    assert found["schema"] == 1
    assert found["questions"][0]["answers"] == ["audit after scan"]
    assert found["error"]["problems"][0]["code"] == "unknown-anchor"


def test_without_shows_what_a_pack_changes(yard):
    """As a diff from the plan to the one without it."""
    done = yard("plan", "ship", "--without", "acme-audit")
    assert done.returncode == 0
    head, *lines = done.stdout.splitlines()
    assert head.startswith("ship · without acme-audit 2.0.1 · 5 to 4 steps · plan ")
    assert lines == ["  - audit (acme-audit 2.0.1)"]
    found = document(yard("plan", "ship", "--without", "acme-audit", "--json"))
    assert found["diff"] == ["- audit (acme-audit 2.0.1)"]
    assert found["fingerprint"] != found["fingerprint_without"]


def test_without_a_pack_that_another_needs_names_that_one(yard):
    """The plan is invalid then: exit code 3, the problems, and who needed it."""
    done = yard("plan", "ship", "--without", "acme-scan")
    assert done.returncode == 3
    assert "ship · without acme-scan 1.4.0 its plan has 1 problem" in done.stdout
    assert "acme-audit 2.0.1 inserts audit after 'scan'" in done.stdout
    assert done.stdout.splitlines()[-1] == "needed by acme-audit 2.0.1"
    both = yard("plan", "ship", "--without", "acme-scan", "--without", "audit")
    assert both.returncode == 0
    assert [line.split()[:2] for line in both.stdout.splitlines()[1:]] == [
        ["-", "scan"],
        ["-", "audit"],
        ["~", "send:"],
    ]


def test_without_the_pack_of_the_action_there_is_no_plan(yard):
    """Which is said so."""
    done = yard("plan", "ship", "--without", "acme-ship")
    assert done.returncode == 3
    assert "without the pack there is none" in done.stdout


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_pack_that_spoils_the_plan(yard, broken):
    """Where leaving it out is the cure, that is the answer, and a good end."""
    source = "import nothing_at_all" if broken else AWAY
    yard.plant("acme-bad", "1.0", source, packs={"bad": "acme_bad"})
    assert yard("plan", "ship").returncode == (4 if broken else 3)
    done = yard("plan", "ship", "--without", "acme-bad")
    assert done.returncode == 0, done.stderr
    assert "ship · its plan has 1 problem, without acme-bad 1.0 none" in done.stdout
    assert "handrail plan ship --no-pack acme-bad" in done.stdout


AWAY = """
from handrail import hookimpl
@hookimpl
def setup_steps(action, registry):
    registry.unregister("send")
"""


def test_without_a_pack_that_is_off_or_not_there(yard):
    """Off: nothing changes. Not there: near names, exit code 2."""
    done = yard("plan", "ship", "--without", "acme-audit", "--no-pack", "acme-audit")
    assert "acme-audit 2.0.1 is off already: --no-pack" in done.stderr
    assert "nothing changes" in done.stdout
    done = yard("plan", "ship", "--without", "acme-aduit")
    assert done.returncode == 2
    assert "did you mean acme-audit" in done.stderr


def test_what_one_pack_does(yard):
    """Its steps, its layers and its edits, with their lines, and nothing of others."""
    lines = yard("plan", "ship", "--pack", "scan").stdout.splitlines()
    assert lines[0].startswith("ship · by acme-scan 1.4.0 · 2 edits · plan ")
    assert [line.split() for line in lines[2:]] == [
        ["2", "scan", "inserted", "before", "send", "acme_scan/__init__.py:9"],
        ["4", "send", "wrapped", "by", "timing", "acme_scan/__init__.py:14"],
    ]
    shown = document(yard("plan", "ship", "--pack", "acme-scan", "--json"))
    assert [(each["place"], each["kind"]) for each in shown["edits"]] == [
        (2, "inserted"),
        (4, "wrapped"),
    ]
    own = yard("plan", "ship", "--pack", "acme-ship").stdout
    assert ("initialize" in own, "base" in own, "audit" in own) == (True, True, False)


def test_what_a_pack_takes_away_is_among_what_it_does(yard):
    yard.plant("acme-away", "1.0", AWAY, packs={"away": "acme_away"})
    (yard.project / "handrail.toml").write_text('[grants]\naway = ["remove acme-ship:send"]\n')
    done = yard(
        "plan", "ship", "--pack", "acme-away", "--no-pack", "scan", "--no-pack", "acme-audit"
    )
    told = " ".join(done.stdout.split())
    assert "- send removed acme_away/__init__.py:5" in told
    assert 'allowed: "remove acme-ship:send" in [grants], handrail.toml:2' in told


def test_a_pack_that_does_nothing_says_why(yard):
    done = yard("plan", "ship", "--pack", "acme-audit", "--no-pack", "acme-audit")
    assert "acme-audit does nothing to the plan of ship; it is off: --no-pack" in done.stdout
    assert yard("plan", "ship", "--pack", "acme-aduit").returncode == 2


def test_two_questions_at_once_are_refused(yard):
    """One answer at a time."""
    done = yard("plan", "ship", "--trace", "--explain", "scan")
    assert done.returncode == 2
    assert "--explain and --trace are two questions" in done.stderr


def test_hooks_are_listed_with_file_and_line(yard):
    """Of every pack that is on; what is off or broken says so, and the listing goes on."""
    yard.plant("acme-bad", "1.0", "import nothing_at_all", packs={"bad": "acme_bad"})
    ours = ("--only-packs", "acme-bad,acme-scan,acme-ship")  # Others may be installed.
    done = yard("packs", "--hooks", "--no-pack", "acme-audit", *ours, COLUMNS="160")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["acme-scan", "1.4.0", "insert_before", "acme_scan/__init__.py:9"] in rows
    assert ["wrap_step", "acme_scan/__init__.py:14"] in rows
    assert ["acme-ship", "0.3.0", "-", "has", "no", "hooks"] in rows
    assert "acme-audit" in done.stdout
    assert "off, not loaded: --no-pack" in done.stdout
    assert "broken: No module named 'nothing_at_all'" in done.stdout
    assert "1 imported" in done.stdout
    assert "handrail doctor" in done.stdout
    listed = {each["id"]: each for each in document(yard("packs", "--hooks", "--json"))["packs"]}
    assert [hook["name"] for hook in listed["acme-scan"]["hooks"]] == [
        "insert_before",
        "wrap_step",
        "check_plan",
    ]
    assert listed["acme-bad"]["status"] == "broken"
    assert listed["acme-bad"]["error"]["code"] == "pack-broken"
