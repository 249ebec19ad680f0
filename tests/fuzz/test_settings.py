"""No project file, policy or lock makes Handrail crash, hang, or show what is not to be seen."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from arena import Arena
from conftest import cases
from hypothesis import given
from hypothesis import strategies as st
from strategies import changed, spoilt, times, toml

SETTINGS: dict[str, Any] = tomllib.loads("""
[packs]
disable = ["acme-webp"]
only = ["handrail-upload", "handrail-utils"]

[packs.handrail-upload]
workers = 2

[grants]
acme-turbo = ["replace handrail-upload:upload_files", "remove handrail-upload:cleanup"]

[actions.upload]
params = { transfers = 8 }
insert = [{ step = "notify", as = "told", before = "upload_files", options = { quality = 85 } }]
remove = ["process_metadata"]
wrap.upload_files = ["timing", { use = "retry", attempts = 5 }]

[workflows.quick]
extends = "upload"
remove = ["validate_files"]

[workflows.lanes]
steps = [
  "notify",
  { parallel = "both", lanes = [{ step = "notify", as = "a" }, ["cleanup"]], concurrency = 2 },
]

[local.actions]
nightly = "flows.py:nightly"

[local.steps]
notify = "flows.py:check"

[required]
packs = ["handrail-upload>=0.1,<9"]
steps = [{ step = "handrail-upload:cleanup", before = "upload_files", in = "*" }]

[journal]
url = "runs.db"

[project]
name = "photos"
""")
CALLS = (
    ("config",),
    ("config", "--json"),
    ("actions",),
    ("packs",),
    ("plan", "nightly"),
    ("plan", "quick"),
    ("plan", "lanes"),
    ("run", "nightly"),
    ("run", "upload", "--help"),
    ("doctor",),
    ("runs",),
    ("lock", "--check"),
)


@cases(6)
@given(settings=times(2, changed, SETTINGS), call=st.sampled_from(CALLS))
def test_settings_that_were_changed(arena: Arena, settings: Any, call: tuple[str, ...]) -> None:
    """A project file in which tables, names and values are others."""
    arena.put_back()
    document = settings if isinstance(settings, dict) else {"settings": settings}
    (arena.folder / "handrail.toml").write_text(toml(document), "utf-8")
    arena.check(*call)


@cases(2)
@given(
    content=spoilt(toml(SETTINGS).encode()) | st.binary(max_size=60),
    name=st.sampled_from(["handrail.toml", "pyproject.toml"]),
    call=st.sampled_from(CALLS),
)
def test_settings_that_were_spoilt(
    arena: Arena, content: bytes, name: str, call: tuple[str, ...]
) -> None:
    """A project file of which bytes are others."""
    arena.put_back()
    head = b"[tool.handrail]\n" if name == "pyproject.toml" else b""
    (arena.folder / name).write_bytes(head + content)
    arena.check(*call)


@pytest.fixture(scope="module")
def lock(arena: Arena) -> dict[str, Any]:
    """The lock of this project, which is kept there."""
    arena.put_back()
    (arena.folder / "handrail.toml").write_text(toml({"local": SETTINGS["local"]}), "utf-8")
    assert arena.check("lock", "nightly", "upload").code == 0
    arena.keep()
    return tomllib.loads((arena.folder / "handrail.lock").read_text("utf-8"))


LOCKED = (
    ("lock", "--check"),
    ("lock", "nightly"),
    ("plan", "nightly"),
    ("run", "nightly"),
    ("plan", "upload"),
    ("doctor",),
    ("lock", "--check", "--json"),
)


@cases(3)
@given(data=st.data(), call=st.sampled_from(LOCKED))
def test_locks_that_were_changed(
    arena: Arena, lock: dict[str, Any], data: st.DataObject, call: tuple[str, ...]
) -> None:
    """A lock in which steps, packs and values are others."""
    arena.put_back()
    document = data.draw(times(2, changed, lock))
    text = toml(document if isinstance(document, dict) else {"lock": document})
    (arena.folder / "handrail.lock").write_text(text, "utf-8")
    arena.check(*call)


@cases(1)
@given(data=st.data(), call=st.sampled_from(LOCKED))
def test_locks_that_were_spoilt(
    arena: Arena, lock: dict[str, Any], data: st.DataObject, call: tuple[str, ...]
) -> None:
    """A lock of which bytes are others."""
    arena.put_back()
    file = arena.folder / "handrail.lock"
    file.write_bytes(data.draw(spoilt(file.read_bytes())))
    arena.check(*call)
