"""Settings of packs are shown also where nobody has set them, and read by commands of the pack."""

from __future__ import annotations

import json
from typing import Any

SOURCE = """
import click
from pydantic import BaseModel, SecretStr
from handrail import PackInfo, hookimpl
from handrail.cli import session_of

class Limits(BaseModel):
    size: int = 10

class Settings(BaseModel):
    engine: str = "slow"
    token: SecretStr = SecretStr("hunter2")
    limits: Limits = Limits()

@hookimpl
def pack_info():
    return PackInfo(settings=Settings)

@click.command()
@click.pass_context
def scan(ctx):
    settings = session_of(ctx).packs.settings_of("acme-quick")
    click.echo(f"{settings.engine} {settings.limits.size}")
"""


def planted(yard: Any) -> Any:
    points = {"packs": {"quick": "acme_quick"}, "commands": {"quick-scan": "acme_quick:scan"}}
    return yard.plant("acme-quick", "1.0", SOURCE, **points)


def rows(yard: Any) -> dict[str, tuple[object, str]]:
    told = json.loads(yard("config", "--json").stdout)["settings"]
    return {
        each["key"].removeprefix("packs.acme-quick."): (each["value"], each["source"])
        for each in told
        if each["key"].startswith("packs.acme-quick.")
    }


def test_config_shows_the_defaults_of_packs(yard):
    """Beside what is set; a secret is not shown, also where it has a default."""
    planted(yard)
    found = rows(yard)
    assert found["engine"] == ("slow", "default")
    assert found["limits.size"] == (10, "default")
    assert "hunter2" not in yard("config").stdout
    (yard.project / "handrail.toml").write_text('[packs.acme-quick]\nengine = "fast"\n')
    assert rows(yard)["engine"] == ("fast", "handrail.toml:2")
    (yard.project / "handrail.toml").write_text('[packs.quick]\nengine = "fast"\n')
    assert "engine" not in rows(yard)


def test_settings_that_are_not_valid_are_told_by_config(yard):
    planted(yard)
    (yard.project / "handrail.toml").write_text('[packs.acme-quick]\nengin = "fast"\n')
    done = yard("config")
    assert done.returncode == 2
    assert "there is no setting engin" in done.stderr


def test_a_pack_that_cannot_be_loaded_is_left_to_the_doctor(yard):
    yard.plant("acme-gone", "1.0", "import acme_nothing", packs={"gone": "acme_gone"})
    planted(yard)
    assert yard("config").returncode == 0
    assert "engine" in rows(yard)


def test_a_command_of_a_pack_reads_its_settings(yard):
    planted(yard)
    assert yard("quick-scan").stdout == "slow 10\n"
    (yard.project / "handrail.toml").write_text("[packs.acme-quick.limits]\nsize = 3\n")
    assert yard("quick-scan").stdout == "slow 3\n"
    (yard.project / "handrail.toml").write_text("[packs.acme-quick.limits]\nsize = 'x'\n")
    done = yard("quick-scan")
    assert (done.returncode, "limits.size" in done.stderr) == (2, True)
