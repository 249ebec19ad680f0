"""The policy is what it says: TOML without code, about packs that its metadata brings along."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1]


def read(path: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / path).read_text(encoding="utf-8"))


def test_it_requires_the_packs_that_it_depends_on() -> None:
    policy = read("src/acme_policy/handrail-policy.toml")
    project = read("pyproject.toml")["project"]
    depends = {each for each in project["dependencies"] if each.startswith("acme-")}
    assert set(policy["required"]["packs"]) == depends


def test_it_requires_steps_of_those_packs_only() -> None:
    policy = read("src/acme_policy/handrail-policy.toml")
    owners = {each["step"].partition(":")[0] for each in policy["required"]["steps"]}
    assert owners == {"acme-scan", "acme-audit"}


def test_its_entry_point_leads_to_the_package_with_the_file() -> None:
    points = read("pyproject.toml")["project"]["entry-points"]
    (package,) = points["handrail.policy"].values()
    assert (FOLDER / "src" / package / "handrail-policy.toml").is_file()
