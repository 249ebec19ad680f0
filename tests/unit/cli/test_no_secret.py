"""A secret is in no output and no file, whatever way it came and however it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from garden import Garden

PACK = '''
import base64, json, urllib.parse
from dataclasses import dataclass, field
from handrail import ActionContext, PackInfo, action, hookimpl, step
from handrail.errors import RollbackDataError
from pydantic import BaseModel, Field, SecretBytes, SecretStr

class Params(BaseModel):
    """What it takes."""
    token: SecretStr
    key: SecretBytes = SecretBytes(b"")
    password: str = "none"
    url: str = ""
    options: dict[str, object] = {}
    count: int = 1
    label: str = ""
    fails: bool = False

class Settings(BaseModel):
    dsn: SecretStr = SecretStr("")
    key: SecretStr = Field(SecretStr(""), alias="secret_key")
    level: int = 1

@dataclass(kw_only=True)
class Context(ActionContext[Params]):
    session: SecretStr | None = field(default=None, metadata={"transient": True})

def forms(text):
    coded = text.encode()
    return {
        "as it is": text, "repr": repr(text), "json": json.dumps(text), "bytes": repr(coded),
        "quoted": urllib.parse.quote(text, safe=""), "plus": urllib.parse.quote_plus(text),
        "basic": base64.b64encode(b"ada:" + coded).decode(),
        "base64": base64.urlsafe_b64encode(coded).decode(), "nested": [{"deep": text}],
    }

def secrets(context):
    options = context.options
    return [
        options.token.get_secret_value(), options.key.get_secret_value().decode(),
        options.password, options.url, SETTINGS[0].dsn.get_secret_value(),
        context.session.get_secret_value(), *map(str, options.options.values()),
    ]

@step
def send(context):
    """Send it."""
    context.session = SecretStr(context.options.token.get_secret_value()[::-1])
    for text in secrets(context):
        if "://" not in text:
            context.record_rollback("sent", forms(text))
        context.log(f"about {text}", forms(text), file=f"/tmp/{text}")
        context.set_metrics({"size": 1.5, text: 2.5}, f"of {text}")
        context.set_progress(1, 2, f"of {text}")
        try:
            context.record_rollback(f"sent {text}", 1)
        except RollbackDataError as error:
            context.log("refused", {"why": str(error)})
    made = forms(context.options.token.get_secret_value())
    return {"summary": f"sent with {secrets(context)}", **made}

@send.rollback
def unsend(context, result):
    raise OSError(f"cannot undo with {SETTINGS[0].dsn.get_secret_value()}")

@step
def check(context):
    if context.options.fails:
        try:
            raise ValueError(f"inner {secrets(context)}")
        except ValueError as error:
            told = " ".join(str(forms(text)) for text in secrets(context))
            raise RuntimeError(f"the server said {told}") from error

ship = action("ship", [send, check], params=Params, context=Context)
SETTINGS = [Settings()]

@hookimpl
def pack_info():
    return PackInfo(settings=Settings)

@hookimpl
def setup_steps(action, registry, settings):
    SETTINGS[0] = settings
'''

SECRETS = {
    "plain": "hunter7-and-more",
    "odd": "hun/ter8@#?x&y a\"b'c\\d é 北",
    "lines": "-----BEGIN KEY-----\nMIIEabcdefgh\n-----END KEY-----\n",
}


class Vault:
    """A project with a pack, into which one secret comes in every way there is."""

    def __init__(self, folder: Path, secret: str) -> None:
        self.garden = Garden(folder)
        self.secret = secret
        points = {"actions": {"ship": "acme_ship:ship"}, "packs": {"ship": "acme_ship"}}
        modules = {"acme_ship/__init__.py": PACK}
        self.garden.plant("acme-ship", "1.0", points=points, modules=modules)
        self.coded = quote(secret, safe="")
        self.variables = {
            "HANDRAIL_SHIP_TOKEN": secret,
            "HANDRAIL_SHIP_KEY": secret,
            "HANDRAIL_ACME_SHIP_DSN": secret,
        }
        self.given = [
            *("--password", secret),
            *("--label", f"with {secret}"),
            *("--url", f"postgresql://ada:{self.coded}@db/acme?user=a&password={self.coded}"),
            *("-p", f"options={json.dumps({'a': {'password': secret}, 'token': [secret]})}"),
        ]
        self.outputs: list[tuple[str, str]] = []

    def __call__(self, *words: str, without: str = "") -> subprocess.CompletedProcess[str]:
        kept = {name: each for name, each in os.environ.items() if "HANDRAIL" not in name}
        mine = {name: each for name, each in self.variables.items() if name != without}
        done = subprocess.run(
            [sys.executable, "-m", "handrail", *words],
            cwd=self.garden.project,
            env={**kept, **mine, "PYTHONPATH": str(self.garden.site)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.outputs += [(f"{words[:3]} stdout", done.stdout), (f"{words[:3]} stderr", done.stderr)]
        return done

    def check(self) -> None:
        """Check that no output and no file has the secret in any form."""
        wanted = self.secret.strip()
        forms = {
            *(wanted, wanted[::-1], repr(wanted)[1:-1], json.dumps(wanted)[1:-1]),
            *(json.dumps(wanted, ensure_ascii=False)[1:-1], quote(wanted), self.coded),
            *(repr(wanted.encode())[2:-1], b64encode(b"ada:" + wanted.encode()).decode()[6:-4]),
            *(b64encode(wanted.encode()).decode()[:-4], wanted.replace("\n", " ")),
            *(line for line in wanted.splitlines() if len(line) > 7),
        }
        texts = list(self.outputs)
        files = [file for file in self.garden.project.rglob("*") if file.is_file()]
        texts += [(str(file), file.read_bytes().decode("utf-8", "replace")) for file in files]
        for about, text in texts:
            for form in forms:
                at = text.find(form)
                assert at < 0, (about, form, text[max(0, at - 80) : at + 80])


pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


@pytest.fixture(params=list(SECRETS))
def vault(tmp_path: Path, request: pytest.FixtureRequest) -> Vault:
    return Vault(tmp_path, SECRETS[request.param])


def test_a_run_leaves_no_secret_anywhere(vault: Vault) -> None:
    """In progress, errors, JSON, tracebacks, the journal and what shows it."""
    ways = ("", "--json", "--debug", "--no-journal --debug", "--dry-run", "--progress json")
    for more in (each.split() for each in ways):
        assert vault("run", "ship", *vault.given, *more).returncode == 0
        assert vault("run", "ship", *vault.given, "--fails", *more).returncode in (0, 5)
    assert sum("**********" in text for _, text in vault.outputs) == 10
    for words in ("show 1 --all", "show 2 --traceback", "show 2 --step send", "show 2 --json"):
        assert vault(*words.split()).returncode == 0
    hidden = (
        "HANDRAIL_SHIP_LABEL",
        "HANDRAIL_SHIP_PASSWORD",
        "HANDRAIL_SHIP_URL",
        "HANDRAIL_SHIP_OPTIONS",
    )
    told = vault("rollback", "2", "--yes").stderr
    assert all(f"set {name}" in told for name in hidden), told
    vault.variables |= dict(
        zip(hidden, ("a label", vault.secret, vault.given[5], "{}"), strict=True)
    )
    for words in ("rollback 2 --yes", "rollback 2 --yes --debug", "rollback 1 --yes --json"):
        assert vault(*words.split()).returncode == 5
    for words in ("config", "config --json", "plan ship", "plan ship --json", "doctor", "runs"):
        vault(*words.split())
    assert len((vault.garden.project / ".handrail/runs.db").read_bytes()) > 4096
    vault.check()


def test_a_mistake_shows_no_secret(vault: Vault) -> None:
    """What is wrong with a value is said without the value."""
    vault("run", "ship", *vault.given, "--count", "many")
    vault("run", "ship", *vault.given, "-p", f"url={json.dumps([vault.secret])}", without="X")
    vault("run", "ship", "-p", f'url=["postgresql://ada:{vault.coded}@db"]', "--debug")
    vault("run", "ship", "-p", f"token={vault.secret}")
    vault("run", "ship", "-p", f"acme-ship.dsn={vault.secret}")
    for key in ("key", "secret_key"):  # Only the alias is read.
        told = vault("run", "ship", "-p", f"acme-ship.{key}={vault.secret}")
        assert "from the variable HANDRAIL_ACME_SHIP_SECRET_KEY only" in told.stderr
    vault.variables["HANDRAIL_ACME_SHIP_KEY"] = vault.secret  # Nothing reads it.
    assert "HANDRAIL_ACME_SHIP_KEY" in vault("config").stdout
    vault("run", "ship", "-p", f"acme-ship.level={vault.secret}", "--debug")
    vault.variables["HANDRAIL_ACME_SHIP_LEVEL"] = "high"
    for words in ("run ship", "run ship --json", "doctor", "config", "plan ship --debug"):
        assert vault(*words.split()).returncode in (0, 2, 4), vault.outputs[-1]
    vault.check()


def test_a_secret_setting_of_a_pack_comes_from_its_variable_only(tmp_path: Path) -> None:
    """Not from a flag or a file, and a resume stops where the variable is missing."""
    vault = Vault(tmp_path, "hunter7")
    told = vault("run", "ship", "-p", "acme-ship.dsn=cmdpw9")
    assert told.returncode == 2
    assert "a secret, which is read from the variable HANDRAIL_ACME_SHIP_DSN only" in told.stderr
    (vault.garden.project / "handrail.toml").write_text('[packs.acme-ship]\ndsn = "filepw9"\n')
    told = vault("plan", "ship")
    assert (told.returncode, "handrail.toml:2" in told.stderr) == (2, True)
    assert "filepw9" not in vault("config").stdout
    (vault.garden.project / "handrail.toml").unlink()
    assert vault("run", "ship", "--fails", "--on-failure", "keep").returncode == 6
    for words in ("resume 1", "rollback 1 --yes"):
        told = vault(*words.split(), without="HANDRAIL_ACME_SHIP_DSN")
        assert (told.returncode, "not set now: HANDRAIL_ACME_SHIP_DSN" in told.stderr) == (2, True)
    dsn, vault.variables["HANDRAIL_ACME_SHIP_DSN"] = vault.variables["HANDRAIL_ACME_SHIP_DSN"], ""
    told = vault("resume", "1")
    assert (told.returncode, "or not set now: HANDRAIL_ACME_SHIP_DSN" in told.stderr) == (2, True)
    vault.variables["HANDRAIL_ACME_SHIP_DSN"] = dsn
    assert vault("resume", "1", "--on-failure", "keep").returncode == 6
    vault.check()


SHARED = """
from handrail import PackInfo, hookimpl
from pydantic import BaseModel

class Settings(BaseModel):
    {key}: str = ""

@hookimpl
def pack_info():
    return PackInfo(settings=Settings)

@hookimpl
def setup_steps(action, registry): ...
"""


def test_no_two_packs_read_one_variable(tmp_path: Path) -> None:
    """A pack cannot get the secret of another one by its name: both are named, in doctor too."""
    vault = Vault(tmp_path, "hunter7")
    plant: Callable[..., object] = vault.garden.plant
    for name, key in (("acme-co", "secret_token"), ("acme-co-secret", "token")):
        package = name.replace("-", "_")
        modules = {f"{package}.py": SHARED.format(key=key)}
        plant(name, "2.0", points={"packs": {package: package}}, modules=modules)
    for words in ("plan ship", "run ship", "doctor"):
        done = vault(*words.split())
        assert done.returncode == 4
        said = "acme-co 2.0 and acme-co-secret 2.0 would both read HANDRAIL_ACME_CO_SECRET_TOKEN"
        assert said in done.stdout + done.stderr
    assert vault("run", "ship", "--no-pack", "acme-co-secret").returncode == 0
    vault.check()
