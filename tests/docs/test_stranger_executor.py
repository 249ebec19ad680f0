"""The executor of the guide to executors keeps what it promises."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail_testing import ExecutorContract

PAGE = Path(__file__).parents[2] / "docs/how-to/write-an-executor.md"


def code() -> str:
    block = r'^```python title="pool.py"\n(.*?)^```'
    (found,) = re.findall(block, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module", autouse=True)
def importable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The executor as a module, also for processes that a test starts."""
    folder = tmp_path_factory.mktemp("pool")
    (folder / "stranger_pool.py").write_text(code(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder), prepend=":")
        yield
    sys.modules.pop("stranger_pool", None)


class TestPool(ExecutorContract):
    """Slots that are threads of a pool."""

    factory = "stranger_pool:make"
    url = "pool:2"


def test_it_has_at_most_80_lines() -> None:
    assert len([line for line in code().splitlines() if line.strip()]) <= 80
