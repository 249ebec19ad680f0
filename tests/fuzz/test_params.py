"""No param, in a file or on the command line, makes Handrail crash or hang."""

from __future__ import annotations

import json
from typing import Any

from arena import Arena
from conftest import cases
from hypothesis import given
from hypothesis import strategies as st
from strategies import SAFE, VALUES, WORD, changed, spoilt, times, toml

PARAMS: dict[str, Any] = {
    "name": "thing",
    "times": 2,
    "ratio": 0.25,
    "fail": False,
    "colour": "blue",
    "kind": "b",
    "when": "2026-11-27",
    "where": "folder",
    "tags": ["a", "b"],
    "sizes": {"small": {"width": 1, "height": 2.5}},
    "size": {"width": 3},
    "token": "hunter2",
}
CALLS = (
    ("run", "flows.py:nightly"),
    ("plan", "flows.py:nightly"),
    ("run", "flows.py:nightly", "--dry-run"),
)
KEYS = st.one_of(
    st.sampled_from(sorted(PARAMS)),
    st.sampled_from(["size.width", "sizes.a.width", "sizes.a", "tags.0", "size.", ".", "a.b.c"]),
    st.sampled_from(["handrail-upload.workers", "handrail-utils", "upload.x", "token.x"]),
    WORD,
)


@cases(3)
@given(
    document=times(2, changed, PARAMS),
    form=st.sampled_from(["json", "toml"]),
    call=st.sampled_from(CALLS),
)
def test_files_of_params_that_were_changed(
    arena: Arena, document: Any, form: str, call: tuple[str, ...]
) -> None:
    """A file of params in which values are of another type."""
    arena.put_back()
    file = arena.folder / f"params.{form}"
    if form == "json":
        file.write_text(json.dumps(document), "utf-8")
    else:
        file.write_text(toml(document if isinstance(document, dict) else {"p": document}), "utf-8")
    arena.check(*call, "--params", file.name)


@cases(1)
@given(
    content=spoilt(json.dumps(PARAMS).encode()) | st.binary(max_size=40),
    name=st.sampled_from(["params.json", "params.toml", "params", "params.yaml"]),
)
def test_files_of_params_that_were_spoilt(arena: Arena, content: bytes, name: str) -> None:
    """A file of params of which bytes are others."""
    arena.put_back()
    (arena.folder / name).write_bytes(content)
    arena.check("run", "flows.py:nightly", "--params", name)


@cases(3)
@given(
    given_params=st.lists(st.tuples(KEYS, VALUES.map(json.dumps) | WORD | SAFE), max_size=4),
    call=st.sampled_from(CALLS),
)
def test_params_of_command_lines(
    arena: Arena, given_params: list[tuple[str, str]], call: tuple[str, ...]
) -> None:
    """Any `-p KEY=VALUE`, nested ones and those of packs too."""
    arena.put_back()
    words = [word for key, value in given_params for word in ("-p", f"{key}={value}")]
    arena.check(*call, *(word.replace("\x00", "") for word in words))
