"""Questions to a plan: why a step is there, and what a pack does."""

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


def test_explain_tells_who_replaced_or_removed_a_step(yard):
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
        '[grants]\nturbo = ["replace acme-ship:send", "remove acme-ship:initialize"]\n'
    )
    replaced = yard("plan", "ship", "--explain", "send").stdout
    assert "turbo · step 3 of 4 of ship" in replaced
    assert "replaced by turbo" in replaced
    removed = yard("plan", "ship", "--explain", "initialize")
    assert removed.returncode == 0
    assert removed.stdout.startswith(
        "initialize · not in the plan of ship: removed by acme-turbo 0.4 · plan"
    )
    assert "acme_turbo/__init__.py:8" in removed.stdout
    link = document(yard("plan", "ship", "--explain", "initialize", "--json"))["links"][-1]
    assert link["kind"] == "removed"


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


def test_two_questions_at_once_are_refused(yard):
    """One answer at a time."""
    done = yard("plan", "ship", "--mermaid", "--explain", "scan")
    assert done.returncode == 2
    assert "--explain and --mermaid are two questions" in done.stderr
