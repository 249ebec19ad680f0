"""Packs that know of each other, from their wheels, in many combinations and orders."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from handrail import ExitCode

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).parents[2] / "examples" / "sample_collection"
UPLOAD = [
    *("initialize", "process_metadata", "analyze_collection", "organize_files", "validate_files"),
    *("upload_files", "generate_data_units", "cleanup"),
]
ALL = ("handrail-upload", "acme-scan", "acme-audit", "handrail-utils", "acme-greet", "acme-policy")


def plan_of(environment: Any, *words: str, **variables: str) -> dict[str, Any]:
    done = environment.handrail("plan", "upload", "--json", *words, **variables)
    assert done.returncode == ExitCode.DONE, done.stderr + done.stdout
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def names(plan: dict[str, Any]) -> list[str]:
    return [step["name"] for step in plan["steps"]]


def listed(environment: Any, *words: str, **variables: str) -> dict[str, str]:
    done = environment.handrail("packs", "--json", *words, **variables)
    assert done.returncode == ExitCode.DONE, done.stderr
    found = {pack["name"]: pack["status"] for pack in json.loads(done.stdout)["packs"]}
    assert found.pop("handrail-storage") in ("on", "off")  # It comes along, for its command.
    return found


def expected(packs: tuple[str, ...]) -> list[str]:
    steps = list(UPLOAD)
    scans, audits = "acme-scan" in packs, "acme-audit" in packs
    if scans:
        steps.insert(steps.index("upload_files"), "scan_files")
    if audits:
        steps.insert(0, "audit_open")
        # What always runs closes the plan.
        steps[-1:] = [*(["audit_scan"] if scans else []), "cleanup", "audit_close"]
    return steps


@pytest.mark.parametrize(
    "packs",
    [
        packs
        for count in range(3)
        for packs in itertools.combinations(("acme-scan", "acme-audit"), count)
    ],
    ids=lambda packs: "+".join(packs) or "alone",
)
def test_each_combination_brings_its_own_steps(fresh, packs: tuple[str, ...]) -> None:
    environment = fresh("handrail-upload", *packs)
    plan = plan_of(environment)
    assert names(plan) == expected(packs)
    owners = {step["origin"]["pack"] for step in plan["steps"]}
    assert owners == {"handrail-upload", *packs}
    assert listed(environment) == dict.fromkeys(("handrail-upload", *packs), "on")


def test_the_order_of_installation_changes_nothing(fresh) -> None:
    packs = ("handrail-upload", "acme-scan", "acme-audit", "acme-greet")
    orders = [packs, packs[::-1], (packs[2], packs[0], packs[3], packs[1])]
    plans = [plan_of(fresh(*order)) for order in orders]
    assert plans[0] == plans[1] == plans[2]


def test_the_order_of_entry_points_changes_nothing(fresh) -> None:
    environment = fresh("handrail-upload", "acme-scan", "acme-audit")
    first = plan_of(environment)
    for file in environment.site.glob("*.dist-info/entry_points.txt"):
        groups = file.read_text(encoding="utf-8").strip().split("\n\n")
        turned = ["\n".join([each.split("\n")[0], *each.split("\n")[:0:-1]]) for each in groups]
        file.write_text("\n\n".join(reversed(turned)) + "\n", encoding="utf-8")
    assert plan_of(environment) == first


def test_listing_imports_none_of_them(fresh) -> None:
    environment = fresh(*ALL)
    for module in ("acme_scan", "acme_audit", "acme_greet", "acme_policy", "handrail_upload"):
        file = environment.site / module / "__init__.py"
        file.write_text("raise RuntimeError('out of bounds')\n", encoding="utf-8")
    assert set(listed(environment)) == set(ALL)
    for listing in ("actions", "steps"):
        done = environment.handrail(listing)
        assert done.returncode == ExitCode.DONE, done.stderr
        assert "out of bounds" not in done.stdout + done.stderr
    assert "scan_files" in environment.handrail("steps").stdout


def run_upload(environment: Any, source: Path, *words: str) -> Any:
    return environment.handrail(
        *("run", "upload", source, environment.work / "store"),
        *("--catalogue", environment.work / "shapes.db", *words),
    )


def stored(environment: Any) -> list[str]:
    store = environment.work / "store"
    files = (path for path in store.rglob("*") if path.is_file())
    return sorted(path.name for path in files if ".handrail-target" not in path.parts)


def audited(environment: Any) -> list[dict[str, Any]]:
    text = (environment.work / "audit.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_collection_is_scanned_sent_and_on_record(fresh) -> None:
    environment = fresh("handrail-upload", "acme-scan", "acme-audit")
    (environment.work / "handrail.toml").write_text('[packs.acme-scan]\nscanner = "builtin"\n')
    done = run_upload(environment, SAMPLE / "files", "--spec", SAMPLE / "collection.toml")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "24 clean (built-in signatures)" in done.stderr
    assert len(stored(environment)) == 24
    opened, scanned, closed = audited(environment)
    assert (scanned["verdict"], scanned["scanned"]) == ("passed", 24)
    assert closed["outcome"] == "completed"
    assert opened["run"] == closed["run"]


def test_what_is_infected_does_not_leave_and_is_on_record(fresh) -> None:
    environment = fresh("acme-audit", "acme-scan", "handrail-upload")
    (environment.work / "handrail.toml").write_text('[packs.acme-scan]\nscanner = "builtin"\n')
    source = environment.work / "source"
    shutil.copytree(SAMPLE / "files" / "mask_1", source)
    signature = ("acme-scan", "test", "signature", "7d1f2e")
    (source / "virus.png").write_bytes(" ".join(signature).encode())
    done = run_upload(environment, source)
    assert done.returncode == ExitCode.FAILED
    assert "virus.png is infected: Acme-Test-Signature" in done.stderr
    assert stored(environment) == []
    opened, scanned, closed = audited(environment)
    assert opened["event"] == "opened"
    assert scanned["verdict"] == "refused"
    assert closed["outcome"] == "rolled_back"
    command = environment.handrail("scan", "--builtin", source)
    assert command.returncode == 1
    assert "virus.png: Acme-Test-Signature" in command.stdout


def import_error(environment: Any) -> str:
    hooks = environment.site / "acme_scan" / "hooks.py"
    hooks.write_text("raise RuntimeError('the lab is closed')\n", encoding="utf-8")
    return "the lab is closed"


def wrong_signature(environment: Any) -> str:
    hooks = environment.site / "acme_scan" / "hooks.py"
    text = hooks.read_text(encoding="utf-8").replace("plan: Plan", "plans: Plan")
    hooks.write_text(text.replace("plan.", "plans."), encoding="utf-8")
    return "did you mean plan"


def version_conflict(environment: Any) -> str:
    (metadata,) = environment.site.glob("acme_scan-*.dist-info/METADATA")
    text = metadata.read_text(encoding="utf-8")
    metadata.write_text(text.replace("handrail<0.2,>=0.1", "handrail>=99", 1), encoding="utf-8")
    return "wants handrail>=99"


def half_uninstalled(environment: Any) -> str:
    for name in ("hooks.py", "steps.py"):
        (environment.site / "acme_scan" / name).unlink()
    return "leads to acme_scan."


@pytest.mark.parametrize(
    "damage", [import_error, wrong_signature, version_conflict, half_uninstalled]
)
def test_a_broken_pack_stops_runs_and_nothing_else(fresh, damage: Any) -> None:
    """The missing step may be the virus scan: nothing is sent, and the ways out are told."""
    environment = fresh("handrail-upload", "acme-scan", "acme-audit")
    assert "scan_files" in names(plan_of(environment))
    told = damage(environment)
    assert set(listed(environment)) == {"handrail-upload", "acme-scan", "acme-audit"}
    for done in (
        environment.handrail("plan", "upload"),
        run_upload(environment, SAMPLE / "files"),
    ):
        assert done.returncode == ExitCode.PACK
        assert "acme-scan 1.4.0" in done.stderr
        assert told in done.stderr
        assert "--no-pack acme-scan" in done.stderr
    assert stored(environment) == []
    assert environment.handrail("doctor").returncode == ExitCode.PACK
    assert names(plan_of(environment, "--no-pack", "acme-scan")) == expected(("acme-audit",))


@pytest.mark.parametrize(
    ("words", "variables", "project"),
    [
        (("--no-pack", "acme-scan"), {}, ""),
        (("--only-packs", "handrail-upload,acme-audit"), {}, ""),
        ((), {"HANDRAIL_NO_PACKS": "acme-scan"}, ""),
        ((), {}, '[packs]\ndisable = ["acme-scan"]\n'),
    ],
    ids=["flag", "only", "variable", "project"],
)
def test_a_blocked_pack_takes_what_hangs_on_it_along(
    fresh, words: tuple[str, ...], variables: dict[str, str], project: str
) -> None:
    environment = fresh("handrail-upload", "acme-scan", "acme-audit")
    (environment.work / "handrail.toml").write_text(project, encoding="utf-8")
    assert listed(environment, *words, **variables)["acme-scan"] == "off"
    assert names(plan_of(environment, *words, **variables)) == expected(("acme-audit",))


def test_an_uninstalled_pack_is_gone_without_a_trace(fresh) -> None:
    environment = fresh("handrail-upload", "acme-audit")
    before = plan_of(environment)
    environment.install_alone("acme-scan")
    assert names(plan_of(environment)) == expected(("acme-scan", "acme-audit"))
    environment.uninstall("acme-scan")
    assert plan_of(environment) == before
    assert "acme-scan" not in listed(environment)
    assert environment.handrail("scan", ".").returncode == ExitCode.USAGE


def test_a_policy_that_is_installed_holds_uploads_to_their_scan(fresh) -> None:
    """One more `pip install`: what it requires is there, and no flag lifts it."""
    environment = fresh("handrail-upload", "acme-scan", "acme-audit", "acme-policy")
    assert listed(environment)["acme-policy"] == "policy"
    assert names(plan_of(environment)) == expected(("acme-scan", "acme-audit"))
    for words in (("--no-pack", "acme-scan"), ("--only-packs", "handrail-upload")):
        done = environment.handrail("plan", "upload", *words)
        assert done.returncode == ExitCode.PACK
        assert "acme-policy 3.1.0" in done.stderr
    environment.uninstall("acme-scan")
    done = run_upload(environment, SAMPLE / "files")
    assert done.returncode == ExitCode.PACK
    assert "acme-scan" in done.stderr
    assert stored(environment) == []
