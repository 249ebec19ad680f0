"""Ends what a test has left running, and waits for it: a plugin of pytest.

A process that nobody has waited for gets in the way of later tests, and the warning of it fails
whichever one runs when its object is collected. So each test gives back what it has started, also
where it failed. What a fixture of several tests starts is up to that fixture.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator
from typing import Any

import pytest

_start = subprocess.Popen.__init__
_started: list[subprocess.Popen[Any]] = []
_shared = 0  # How many fixtures of several tests are being set up.


def _noted(self: subprocess.Popen[Any], *given: Any, **named: Any) -> None:
    _start(self, *given, **named)
    if not _shared:
        _started.append(self)


subprocess.Popen.__init__ = _noted  # type: ignore[method-assign]


@contextlib.contextmanager
def spared(spares: bool = True) -> Generator[None]:
    """Leave out what is started within the block: it lives longer than a test."""
    global _shared  # noqa: PLW0603 - it is the state of this process
    _shared += spares
    try:
        yield
    finally:
        _shared -= spares


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """Leave out what lives longer than a test."""
    with spared(fixturedef.scope != "function"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, Any, Any]:
    """Reap, once all fixtures of the test are gone."""
    try:
        return (yield)
    finally:
        while _started:
            _end(_started.pop())


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # What is not written yet reaches nobody.
                pipe.close()
    process.wait(timeout=60)
