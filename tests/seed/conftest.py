"""What the tests of the seed's API share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import handrail_synapse
from handrail import BaseStep, BaseStepContext, Orchestrator, RuntimeContext, StepRegistry


class Notes:
    """A runtime logger that keeps what it is told."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, Any]] = []
        self.progress: list[tuple[Any, ...]] = []
        self.metrics: list[tuple[Any, ...]] = []

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.logged.append((event, data))

    def set_progress(self, *values: Any) -> None:
        self.progress.append(values)

    def set_metrics(self, *values: Any) -> None:
        self.metrics.append(values)


class FolderClient:
    """A backend that keeps uploaded files in a folder, under the numbers it gives them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.keeps_everything = False

    def upload_file(self, path: Path) -> int:
        self.count += 1
        (self.folder / str(self.count)).write_bytes(path.read_bytes())
        return self.count

    def delete_file(self, number: int) -> None:
        if self.keeps_everything:
            raise PermissionError("read-only")
        (self.folder / str(number)).unlink()

    @property
    def stored(self) -> list[str]:
        return sorted(path.read_text() for path in self.folder.iterdir())


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def client(tmp_path: Path) -> FolderClient:
    folder = tmp_path / "backend"
    folder.mkdir()
    return FolderClient(folder)


@pytest.fixture
def runtime(notes: Notes, client: FolderClient) -> RuntimeContext:
    return RuntimeContext(client=client, logger=notes)


@pytest.fixture
def context(runtime: RuntimeContext) -> BaseStepContext:
    return BaseStepContext(runtime)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with two files in it, one of them further down."""
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("alpha")
    (folder / "deep" / "b.txt").write_text("beta")
    return folder


@pytest.fixture
def execute(context: BaseStepContext) -> Callable[..., Any]:
    """Run steps in the test's context."""

    def run(*steps: BaseStep[Any], callback: Any = None) -> Any:
        registry: StepRegistry[Any] = StepRegistry()
        for each in steps:
            registry.register(each)
        return Orchestrator(registry, context, callback).execute()

    return run


@pytest.fixture(scope="module")
def aliases() -> Iterator[None]:
    """synapse_sdk, served by Handrail."""
    if not handrail_synapse.install():
        pytest.skip("the real synapse_sdk is installed")
    yield
    handrail_synapse.uninstall()
