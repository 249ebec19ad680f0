"""Packs that cannot be used: listing goes on, runs stop with the ways out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from handrail import ExitCode

FLOW = """
from handrail import action, step


@step
def sweep(context): ...


tidy = action("tidy", [sweep])
"""


@pytest.fixture
def tidy(environment) -> Iterator[str]:
    file = environment.work / "tidy.py"
    file.write_text(FLOW, encoding="utf-8")
    yield "tidy.py:tidy"
    file.unlink()


def listing_goes_on(environment) -> None:
    for listing in ("packs", "actions", "steps"):
        done = environment.handrail(listing)
        assert done.returncode == ExitCode.DONE, done.stderr
        assert "acme-greet" in done.stdout
        json.loads(environment.handrail(listing, "--json").stdout)


def test_one_that_breaks_at_import(environment, plant, tidy: str) -> None:
    plant(
        "acme-thumbs",
        "raise RuntimeError('the camera is gone')",
        "[handrail.packs]\nacme-thumbs = acme_thumbs\n",
    )
    listing_goes_on(environment)
    for command in ("plan", "run"):
        done = environment.handrail(command, tidy)
        assert done.returncode == ExitCode.PACK
        assert "acme-thumbs 1.0" in done.stderr
        assert "the camera is gone" in done.stderr
        assert "--no-pack acme-thumbs" in done.stderr
        assert environment.handrail(command, tidy, "--no-pack", "acme-thumbs").returncode == 0
    doctor = environment.handrail("doctor")
    assert doctor.returncode == ExitCode.PACK
    assert "the camera is gone" in doctor.stdout


def test_one_for_a_newer_core(environment, plant, tidy: str) -> None:
    plant(
        "acme-future",
        "raise RuntimeError('this must not be imported')",
        "[handrail.packs]\nacme-future = acme_future\n",
        requires="handrail>=99",
    )
    listing_goes_on(environment)
    assert re.search(
        r"(?m)^acme-future +incompatible .* wants handrail>=99, this is ",
        environment.handrail("packs").stdout,
    )
    for command in ("plan", "run"):
        done = environment.handrail(command, tidy)
        assert done.returncode == ExitCode.PACK
        assert "wants handrail>=99" in done.stderr
        assert "--no-pack acme-future" in done.stderr
        assert "must not be imported" not in done.stderr
        assert environment.handrail(command, tidy, "--no-pack", "acme-future").returncode == 0


def test_one_with_a_misspelt_hook(environment, plant, tidy: str) -> None:
    plant(
        "acme-typo",
        """
        from handrail import hookimpl


        @hookimpl
        def insert_befor(action, step):
            return None
        """,
        "[handrail.packs]\nacme-typo = acme_typo\n",
    )
    listing_goes_on(environment)
    done = environment.handrail("plan", tidy)
    assert done.returncode == ExitCode.PACK
    assert "did you mean insert_before" in done.stderr


def test_one_that_is_half_uninstalled(environment, plant, tidy: str) -> None:
    plant("acme-half", "", "[handrail.packs]\nacme-half = acme_half\n")
    (environment.site / "acme_half" / "__init__.py").unlink()
    listing_goes_on(environment)
    table = environment.handrail("packs").stdout
    why = r"leads\s+to\s+acme_half,\s+and\s+it\s+has\s+no\s+__init__"
    assert re.search(rf"(?ms)^acme-half +broken .*{why}", table)
    done = environment.handrail("run", tidy)
    assert done.returncode == ExitCode.PACK
    assert "--no-pack acme-half" in done.stderr


def test_two_with_an_action_of_one_name(environment, plant) -> None:
    plant(
        "acme-welcome",
        """
        from handrail import action, step


        @step
        def wave(context): ...


        greet = action("greet", [wave])
        """,
        "[handrail.actions]\ngreet = acme_welcome:greet\n",
    )
    listing_goes_on(environment)
    for command in ("plan", "run"):
        done = environment.handrail(command, "greet")
        assert done.returncode == ExitCode.PACK
        assert "acme-greet:greet" in done.stderr
        assert "acme-welcome:greet" in done.stderr
    assert environment.handrail("run", "acme-welcome:greet").returncode == ExitCode.DONE
    assert environment.handrail("run", "acme-greet:greet", "Ada").returncode == ExitCode.DONE
    assert environment.handrail("run", "greet", "--no-pack", "acme-greet").returncode == 0
