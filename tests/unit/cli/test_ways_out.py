"""Ways out that are printed are open: each is taken here, or is not printed."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from handrail.packs.catalog import Catalog

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FALLS = """
from handrail import hookimpl

@hookimpl
def wrap_step(action, step):
    return {}["nope"]
"""

PUTS_IN = """
from handrail import hookimpl, step

@step
def own(context): ...

@hookimpl
def insert_{side}(action, step):
    if step.name == "{anchor}":
        return own
"""

TAKES_OUT = """
from handrail import hookimpl

@hookimpl
def setup_steps(action, registry):
    registry.unregister("scan")
"""


def left_out(text: str) -> list[list[str]]:
    """Return the arguments of each way out that leaves a pack out of the call."""
    return [shlex.split(found) for found in re.findall(r"--no-pack [\w-]+$", text, re.MULTILINE)]


@pytest.mark.parametrize(
    ("sources", "leaving"),
    [
        ({"acme-falls": FALLS}, ["acme-falls"]),
        ({"acme-twice": PUTS_IN.format(side="after", anchor="send").replace("own", "scan")}, None),
        ({"acme-takes": TAKES_OUT}, None),
    ],
    ids=["a hook that raises", "two steps of one name", "a removal without a grant"],
)
def test_each_pack_that_can_be_left_out_makes_the_plan_whole(yard, sources, leaving):
    for name, source in sources.items():
        package = name.replace("-", "_")
        yard.plant(name, "1.0", source, packs={package: package})
    done = yard("plan", "ship", "--no-pack", "acme-audit")
    assert done.returncode in (3, 4), done.stderr
    ways = left_out(done.stderr)
    disabled = re.findall(r'disable = \["([\w-]+)"\]', done.stderr)
    ways += [["--no-pack", pack] for pack in disabled]
    assert ways
    for way in ways:
        again = yard("plan", "ship", "--no-pack", "acme-audit", *way)
        assert again.returncode == 0, (way, again.stderr)


def test_a_required_pack_is_no_way_out(yard):
    """Leaving it out, switching it off and uninstalling it all stop the plan with another error."""
    (yard.project / "handrail.toml").write_text('[required]\npacks = ["acme-falls"]\n')
    yard.plant("acme-falls", "1.0", FALLS, packs={"acme_falls": "acme_falls"})
    done = yard("plan", "ship")
    assert done.returncode == 4
    assert "the hook wrap_step of acme-falls 1.0 raised KeyError" in done.stderr
    closed = ("--no-pack acme-falls", "disable", "pip uninstall")
    assert not [way for way in closed if way in done.stderr]
    reason = "acme-falls cannot be left out: it is required by handrail.toml:2"
    assert done.stderr.count(reason) == 1
    error = json.loads(yard("plan", "ship", "--json").stdout)["error"]
    assert not [way for way in closed if way in json.dumps(error)]
    assert reason in yard("doctor").stdout


def test_an_invalid_plan_cannot_be_locked_so_the_check_does_not_say_so(yard):
    assert yard("lock", "ship").returncode == 0
    yard.plant(
        "acme-falls",
        "1.0",
        PUTS_IN.format(side="after", anchor="gone")
        + """
@hookimpl
def setup_steps(action, registry):
    registry.insert_after("sendd", own)
""",
        packs={"acme_falls": "acme_falls"},
    )
    done = yard("lock", "--check")
    assert done.returncode == 3
    assert "ship cannot be planned · 1 problem" in done.stdout
    assert "handrail lock ship" not in done.stdout
    assert yard("lock", "ship").returncode == 3


def test_a_pack_that_is_only_off_need_not_be_installed(yard):
    assert yard("lock", "ship").returncode == 0
    done = yard("run", "ship", "--no-pack", "acme-audit")
    assert done.returncode == 3
    assert "acme-audit 2.0.1 is off: --no-pack" in done.stderr
    assert "pip install" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",),
        ("run", "frobnicate"),
        ("plan", "acme-nope:frobnicate"),
        ("plan", "ship", "--only-packs", "acme-nope"),
        ("steps", "frobnicate"),
        ("run", "ship", "--journal", "redis://there"),
        ("new", "frobnicate"),
    ],
    ids=" ".join,
)
def test_no_distribution_is_made_up_from_what_was_typed(yard, words):
    """Somebody else may have taken that name, and wait for those who install it."""
    done = yard(*words)
    assert done.returncode != 0
    assert "pip install" not in done.stdout + done.stderr


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_pack_for_a_journal_in_a_database_is_named(call: Any, monkeypatch, scheme):
    """The name is known, whether the pack is installed or not."""
    from handrail.builtin.cli.session import Session

    monkeypatch.setattr(Session, "packs", property(lambda self: NoPacks))
    told = call("runs", "--journal", f"{scheme}://there/db")
    assert told.code == 2
    assert "install it:  pip install handrail-postgres" in told.err


class NoPacks:
    records = ()
    catalog = Catalog(())
    warnings = ()


def test_our_own_action_is_named_where_its_pack_is_missing():
    from handrail.errors import NotFoundError

    with pytest.raises(NotFoundError) as error:
        Catalog(()).find("actions", "upload")
    assert "install it:  pip install handrail-upload" in error.value.ways_out
