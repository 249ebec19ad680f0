"""A PostgreSQL journal, and a Ray cluster of one node that ends with the tests."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.ray_cluster import RayCluster, running_ray

sys.path.insert(0, str(Path(__file__).parent))

from ray_host import PLACE, SECRET


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """A cluster of one node with two slots, which this process and those it starts join.

    Its workers have a secret in the variable ACME_TOKEN.
    """
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("ACME_TOKEN", SECRET)
        started = stack.enter_context(running_ray(cpus=2))
        for name, value in started.environment.items():
            patch.setenv(name, value)
        yield started
        import ray

        ray.shutdown()


@pytest.fixture
def journal_url(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a journal that is empty; `JournalHost` finds it."""
    monkeypatch.setenv(PLACE, postgres_url)
    return postgres_url
