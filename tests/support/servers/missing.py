"""Skips or fails tests whose server is not installed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NoReturn

import pytest


def missing(server: str, package: str) -> NoReturn:
    """Skip the test; in CI, where all servers should be installed, fail it.

    Args:
        server: The server that the test needs.
        package: The package that provides it, and where to get it.
    """
    reason = f"{server} is not installed; it comes with {package}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need_module(name: str, package: str) -> None:
    """Skip or fail the test if the module cannot be imported."""
    if find_spec(name) is None:
        missing(f"the module {name}", f"the PyPI package {package}")
