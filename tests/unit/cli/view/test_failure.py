"""The place of an error: the last line of the step's own distribution, or of local code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from handrail import Origin
from handrail.builtin.cli.view.failure import _place_of

SITE = "/venv/lib/python3.12/site-packages"
Calls = Callable[[], object]


def within(module: str, file: str, inner: Calls) -> Calls:
    """Return a function of a module in a file, which calls another one."""
    space: dict[str, Any] = {"__name__": module, "inner": inner}
    exec(compile("def run():\n    inner()", file, "exec"), space)
    run: Calls = space["run"]
    return run


def place(step: Calls, module: str) -> str:
    with pytest.raises(ValueError, match="Expecting") as caught:
        step()
    error = caught.value.with_traceback(caught.tb.tb_next)  # Without the frame of this test.
    return _place_of(error, Origin(module=module))


def dependency() -> Calls:
    space: dict[str, Any] = {"__name__": "requests.api", "loads": json.loads}
    exec(compile("def run():\n    loads('{')", f"{SITE}/requests/api.py", "exec"), space)
    run: Calls = space["run"]
    return run


def test_a_pack_that_is_installed() -> None:
    """Its own module counts, those that it uses do not."""
    helper = within("acme_scan.clients", f"{SITE}/acme_scan/clients.py", dependency())
    step = within("acme_scan.steps", f"{SITE}/acme_scan/steps.py", helper)
    assert place(step, "acme_scan.steps") == "clients.py:2 in run"


def test_local_code_that_a_pack_calls() -> None:
    """The last line of the user's own is what has to be looked at."""
    local = within("flows", "/home/ada/flows.py", dependency())
    step = within("acme_scan.steps", f"{SITE}/acme_scan/steps.py", local)
    assert place(step, "acme_scan.steps") == "flows.py:2 in run"


def test_an_error_of_a_dependency_alone() -> None:
    """Then it is the innermost line, but for those of Handrail."""
    ours = within("handrail.steps", f"{SITE}/handrail/steps.py", dependency())
    assert place(ours, "acme_scan.steps").startswith("decoder.py:")
