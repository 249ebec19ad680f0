"""A pack of somebody else: installed from a wheel, listed, planned, run, switched off, removed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from handrail import ExitCode

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
GUIDE = HOW_TO / "write-a-pack.md"
BLOCK = re.compile(
    r'^```(?:console|python) title="(?P<title>[^"]+)"\n(?P<source>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture
def party(environment) -> Iterator[str]:
    """A workflow of somebody who has never heard of the pack."""
    sources = {each["title"]: each["source"] for each in BLOCK.finditer(GUIDE.read_text())}
    file = environment.work / "party.py"
    file.write_text(sources["party.py"], encoding="utf-8")
    yield "party.py:party"
    file.unlink()


def test_it_is_listed(environment) -> None:
    listed = json.loads(environment.handrail("packs", "--json").stdout)["packs"]
    greet = next(pack for pack in listed if pack["id"] == "acme-greet")
    assert greet["version"] == "0.1.0"
    assert greet["status"] == "on"
    assert greet["actions"] == ["greet"]
    assert sorted(greet["steps"]) == ["greet_guests", "write_greeting"]
    assert greet["commands"] == ["hello"]
    table = environment.handrail("packs").stdout
    assert re.search(r"(?m)^acme-greet +on +0\.1\.0 +greet +2 +hello +installed$", table)


def test_its_action_and_steps_are_listed_with_what_they_do(environment) -> None:
    actions = environment.handrail("actions").stdout
    assert re.search(r"(?m)^greet +on +acme-greet +0\.1\.0 +Greet somebody by name$", actions)
    (greet,) = json.loads(environment.handrail("actions", "--json").stdout)["actions"]
    assert (greet["id"], greet["name"], greet["status"]) == ("acme-greet:greet", "greet", "on")
    assert greet["does"] == "Greet somebody by name"
    steps = environment.handrail("steps").stdout
    assert re.search(r"(?m)^write_greeting +on +acme-greet +0\.1\.0 +Write the greeting", steps)


def test_help_offers_its_action_only_while_it_is_on(environment) -> None:
    for command in ("run", "plan"):
        assert "greet  from acme-greet 0.1.0" in environment.handrail(command, "--help").stdout
        off = environment.handrail(command, "--help", "--no-pack", "acme-greet").stdout
        assert "acme-greet 0.1.0" not in off
        assert "name one of your own" in off
    off = environment.handrail("actions", "--no-pack", "acme-greet").stdout
    assert re.search(r"(?m)^greet .* off --no-pack", off)
    assert "run one" not in off


def test_its_action_is_planned_and_run(environment) -> None:
    plan = json.loads(environment.handrail("plan", "greet", "--json").stdout)
    assert [step["name"] for step in plan["steps"]] == ["compose_greeting", "write_greeting"]
    assert {step["origin"]["pack"] for step in plan["steps"]} == {"acme-greet"}
    file = environment.work / "hello.txt"
    done = environment.handrail("run", "greet", "Ada", "--file", file)
    assert (done.returncode, file.read_text()) == (ExitCode.DONE, "Hello, Ada!\n")
    again = environment.handrail("run", "greet", "Ada", "--file", file)
    assert again.returncode == ExitCode.FAILED
    assert "is there already" in again.stderr
    assert file.read_text() == "Hello, Ada!\n"
    file.unlink()


def test_a_dry_run_writes_nothing(environment) -> None:
    done = environment.handrail("run", "greet", "Ada", "--file", "hello.txt", "--dry-run")
    assert done.returncode == ExitCode.DONE
    assert "write 'Hello, Ada!' to hello.txt" in done.stdout
    assert not (environment.work / "hello.txt").exists()


def test_its_command_runs(environment) -> None:
    done = environment.handrail("hello", "Ada")
    assert (done.returncode, done.stdout) == (ExitCode.DONE, "Hello, Ada!\n")
    assert re.search(r"(?m)^ +hello +from acme-greet 0\.1\.0$", environment.handrail().stdout)


def test_it_shapes_a_workflow_of_somebody_else(environment, party: str) -> None:
    steps = json.loads(environment.handrail("plan", party, "--json").stdout)["steps"]
    assert [step["name"] for step in steps] == ["open_door", "find_guests", "greet_guests"]
    assert steps[2]["origin"]["pack"] == "acme-greet"
    assert steps[2]["reason"] == "after find_guests"
    assert [layer["name"] for layer in steps[0]["layers"]] == ["knock"]
    done = environment.handrail("run", party)
    assert done.returncode == ExitCode.DONE
    assert "Hello, Grace!" in done.stderr


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--no-pack", "acme-greet"), {}),
        (("--only-packs", "handrail-utils"), {}),
        ((), {"HANDRAIL_NO_PACKS": "acme-greet"}),
    ],
)
def test_it_can_be_switched_off(
    environment, party: str, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    listed = json.loads(environment.handrail("packs", "--json", *words, **variables).stdout)
    status = {pack["name"]: pack["status"] for pack in listed["packs"]}
    assert status == {"acme-greet": "off", "handrail-utils": "on"}
    plan = json.loads(environment.handrail("plan", party, "--json", *words, **variables).stdout)
    assert [step["name"] for step in plan["steps"]] == ["open_door", "find_guests"]
    run = environment.handrail("run", "greet", "Ada", *words, **variables)
    assert run.returncode == ExitCode.USAGE
    assert "acme-greet" in run.stderr
    assert environment.handrail("hello", *words, **variables).returncode == ExitCode.USAGE


def test_the_project_can_switch_it_off(environment) -> None:
    file = environment.work / "handrail.toml"
    file.write_text('[packs]\ndisable = ["acme-greet"]\n', encoding="utf-8")
    try:
        table = environment.handrail("packs").stdout
    finally:
        file.unlink()
    assert re.search(r"(?m)^acme-greet +off .* handrail\.toml:2  packs\.disable$", table)


def test_it_is_gone_once_it_is_uninstalled(environment, party: str) -> None:
    assert "acme-greet" in environment.handrail("packs").stdout
    environment.uninstall("acme-greet")
    try:
        assert "acme-greet" not in environment.handrail("packs").stdout
        run = environment.handrail("run", "greet", "Ada")
        assert run.returncode == ExitCode.USAGE
        assert "greet" in run.stderr
        assert "searched" in run.stderr
        assert environment.handrail("run", party).returncode == ExitCode.DONE
    finally:
        environment.install("acme-greet")
    assert "acme-greet" in environment.handrail("packs").stdout


@pytest.mark.parametrize("name", [GUIDE.name, "why-a-step-is-there.md"])
def test_the_guide_shows_what_there_is(
    name: str,
    environment,
    tmp_path: Path,
    shell_session: Callable[..., str],
    same_output: Callable[[str, str], bool],
) -> None:
    guide = HOW_TO / name
    text = guide.read_text(encoding="utf-8")
    differences: list[str] = []
    removed = False
    try:
        for block in BLOCK.finditer(text):
            title, source = block["title"], block["source"]
            if title.endswith(".py"):
                if not source.startswith("--8<--"):
                    (tmp_path / title).write_text(source, encoding="utf-8")
                continue
            if title == "Without acme-greet" and not removed:
                environment.uninstall("acme-greet")
                removed = True
            real = shell_session(source, tmp_path, environment.scripts)
            if not same_output(source, real):
                differences.append(real)
                text = text.replace(source, real)
    finally:
        if removed:
            environment.install("acme-greet")
    if differences and os.environ.get("HANDRAIL_DOCS") == "write":
        guide.write_text(text, encoding="utf-8")
        return
    assert not differences, "the output is now:\n\n" + "\n\n".join(differences)
