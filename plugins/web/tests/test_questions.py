"""Plans and packs: what the command line answers, and nothing is asked that an address makes up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sites import Browser, Open

from handrail_web.commands import Answer, CommandLine

ORIGIN = {"pack": "acme-scan", "version": "1.4", "module": "", "file": "scan/hooks.py", "line": 18}
STEP = {
    "name": "scan<b>",
    "weight_share": 0.25,
    "undo": False,
    "origin": ORIGIN,
    "reason": "before upload_files",
    "required": "handrail.toml:4",
    "final": True,
    "always_run": True,
    "effects": False,
    "layers": [{"name": "retry", "origin": ORIGIN, "reason": ""}],
    "limits": None,
}
ACTION = {
    "id": "acme-up:up",
    "name": "up",
    "pack": "acme-up",
    "version": "1.0",
    "does": "Send <i>files</i>",
    "status": "on",
    "why": "installed",
}
PROBLEM = {"code": "x", "message": "a <b>hook</b> is broken", "ways_out": ["pip install <x>"]}
PACK = {
    "id": "acme-up",
    "version": "1.0",
    "summary": "Uploads",
    "status": "broken",
    "why": "RECORD names 4 files that are gone",
    "actions": ["up"],
    "steps": [],
    "commands": ["new.pack"],
}
HEALTH = {
    "planned": ["up"],
    "unchecked": [{"action": "down", "why": "it needs params"}],
    "warnings": [PROBLEM],
    "problems": [PROBLEM],
}
Asked = list[tuple[str, ...]]


@pytest.fixture
def answering(open_site: Open, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A function that opens a site whose command line has these answers; it tells what it heard."""

    def open_with(**answers: Any) -> tuple[Browser, Asked]:
        asked: Asked = []
        known = {"actions": {"actions": [ACTION]}, **answers}

        async def ask(_self: CommandLine, *words: str, **_more: Any) -> Answer:
            asked.append(words)
            found = known[words[0]]
            if isinstance(found, Answer):
                return found
            return Answer(code=0, documents=[found], notes="")

        monkeypatch.setattr(CommandLine, "ask", ask)
        return open_site(), asked

    return open_with


def test_a_plan_says_who_put_each_step_there(answering: Callable[..., Any]) -> None:
    plan = {"action": "up", "fingerprint": "9f3c21ab0000", "steps": [STEP], "groups": []}
    browser, asked = answering(plan=plan)
    assert f'href="{browser.root}/plans/up"' in browser.page("/plans")
    page = browser.page("/plans/up")
    for text in ("acme-scan 1.4", "scan/hooks.py:18", "before upload_files", "always runs"):
        assert text in page
    assert "<b>" not in page
    assert "plan 9f3c21ab" in page
    assert asked[-1] == ("plan", "up")


@pytest.mark.parametrize("name", ["flows.py:job", "/etc/x.py:y", "--help", "module:name"])
def test_no_address_makes_it_import_something(answering: Callable[..., Any], name: str) -> None:
    browser, asked = answering()
    assert browser.get(f"{browser.root}/plans/{name}").status_code == 404
    assert asked == [("actions",)]


class Alone(dict[str, Any]):
    """A step that is compared with no other."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the time that a plan takes grows with the square of its steps")

    __hash__ = None  # type: ignore[assignment]


def test_the_steps_of_a_long_plan_are_numbered_without_a_search(
    answering: Callable[..., Any],
) -> None:
    steps = [Alone(STEP, name=f"step_{number}") for number in range(3)]
    plan = {"action": "up", "fingerprint": "9f3c21ab0000", "steps": steps, "groups": []}
    browser, _ = answering(plan=plan)
    assert '<td class="number">3</td>' in browser.page("/plans/up")


def test_a_plan_with_problems_tells_them(answering: Callable[..., Any]) -> None:
    error = {"message": "the plan has 1 problem", "ways_out": [], "problems": [PROBLEM]}
    browser, _ = answering(plan=Answer(code=3, documents=[{"error": error}], notes=""))
    answer = browser.get(f"{browser.root}/plans/up")
    assert answer.status_code == 500
    assert "a &lt;b&gt;hook&lt;/b&gt; is broken" in answer.text
    assert "pip install &lt;x&gt;" in answer.text


def test_packs_are_shown_with_their_health(answering: Callable[..., Any]) -> None:
    browser, _ = answering(packs={"packs": [PACK]}, doctor=HEALTH)
    page = browser.page("/packs")
    for text in ("RECORD names 4 files", "1 problem found", "it needs params"):
        assert text in page
    assert "✗" in page


def test_a_doctor_without_an_answer_hides_no_pack(answering: Callable[..., Any]) -> None:
    dead = Answer(code=1, documents=[], notes="out of memory")
    browser, _ = answering(packs={"packs": [PACK]}, doctor=dead)
    page = browser.page("/packs")
    assert "acme-up" in page
    assert "out of memory" in page


@pytest.mark.slow
def test_the_real_command_line_answers(open_site: Open, project: Path) -> None:
    (project / "flows.py").write_text(
        "from handrail import action, step\n\n@step\ndef make(context):\n    pass\n\n"
        'job = action("job", [make])\n'
    )
    (project / "handrail.toml").write_text('[local.actions]\njob = "flows.py:job"\n')
    browser = open_site()
    assert f'href="{browser.root}/plans/job"' in browser.page("/plans")
    assert "make" in browser.page("/plans/job")
    assert "handrail-web" in browser.page("/packs")
