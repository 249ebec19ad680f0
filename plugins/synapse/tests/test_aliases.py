"""The aliases: what they are, when they are there, and what unknown names are told."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import handrail
import handrail_synapse
import handrail_utils
from handrail_synapse.aliases import MODULES


@pytest.fixture
def aliases() -> Iterator[None]:
    if not handrail_synapse.install():
        pytest.skip("the real synapse_sdk is installed")
    yield
    handrail_synapse.uninstall()


def python(code: str, **extra: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    env = {**os.environ, **extra}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.usefixtures("aliases")
class TestNames:
    """What code written for the SDK imports."""

    @pytest.mark.parametrize(
        "name", ["BaseStep", "BaseStepContext", "Orchestrator", "StepRegistry", "StepResult"]
    )
    def test_steps_are_ours(self, name: str) -> None:
        """The step API is Handrail's own, or derived from it, so that packs and journals work."""
        steps = importlib.import_module("synapse_sdk.plugins.steps")
        assert issubclass(getattr(steps, name), getattr(handrail, name))

    @pytest.mark.parametrize("name", ["LoggingStep", "TimingStep", "ValidationStep"])
    def test_utilities(self, name: str) -> None:
        """The utility steps are those of handrail-utils, under both module names."""
        found = [
            getattr(importlib.import_module(module), name)
            for module in ("synapse_sdk.plugins.steps", "synapse_sdk.plugins.steps.utils")
        ]
        assert found[0] is found[1]
        assert issubclass(found[0], getattr(handrail_utils, name))

    def test_every_name_resolves(self) -> None:
        """Every name of the table leads to something, through import and through dir()."""
        for module, names in MODULES.items():
            imported = importlib.import_module(module)
            assert set(names) <= set(dir(imported))
            for name in names:
                assert getattr(imported, name) is not None

    def test_star_import_and_submodules(self) -> None:
        """`from ... import *` brings all names, and submodules are attributes of their parents."""
        namespace: dict[str, Any] = {}
        exec("from synapse_sdk.plugins.steps import *; import synapse_sdk", namespace)
        assert issubclass(namespace["BaseStep"], handrail.BaseStep)
        assert namespace["utils"].TimingStep is namespace["TimingStep"]
        assert namespace["synapse_sdk"].plugins.actions.upload.UploadContext

    def test_unknown_name(self) -> None:
        """An unknown name is an ImportError that suggests a near one and lists the rest."""
        with pytest.raises(ImportError) as caught:
            exec("from synapse_sdk.plugins.steps import StepResults")
        assert "has no 'StepResults'; did you mean StepResult" in str(caught.value)
        assert "handrail-synapse offers BaseStep, " in str(caught.value)
        assert isinstance(caught.value, ModuleNotFoundError)

    def test_unknown_module(self) -> None:
        """So is a module of the SDK that has no alias."""
        with pytest.raises(ImportError, match=r"synapse_sdk has no 'mcp'; .* offers .*plugins"):
            importlib.import_module("synapse_sdk.mcp.server")

    def test_unknown_attribute(self) -> None:
        """As an attribute it is an AttributeError with the same words, so hasattr is False."""
        plugins = importlib.import_module("synapse_sdk.plugins")
        with pytest.raises(AttributeError, match=r"did you mean BaseUploadAction"):
            _ = plugins.BaseUploadActions
        assert not hasattr(plugins, "nothing")


def test_install_twice_and_back() -> None:
    """install() may be called again; uninstall() leaves no trace, and may be called again too."""
    handrail_synapse.uninstall()
    before = list(sys.meta_path)
    assert handrail_synapse.install()
    assert handrail_synapse.install()
    assert len(sys.meta_path) == len(before) + 1
    importlib.import_module("synapse_sdk.plugins.steps.utils")
    handrail_synapse.uninstall()
    handrail_synapse.uninstall()
    assert sys.meta_path == before
    assert not [name for name in sys.modules if name.startswith("synapse_sdk")]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("synapse_sdk")


def test_nothing_is_imported_before_it_is_used() -> None:
    """install() and importing the alias modules load no pydantic, asyncio, tenacity or engine."""
    heavy = (
        "{'pydantic', 'asyncio', 'tenacity', 'handrail.orchestrator', 'handrail_synapse.actions'}"
    )
    code = (
        "import sys, handrail_synapse; assert handrail_synapse.install();"
        "import synapse_sdk.plugins.steps.utils, synapse_sdk.plugins.actions.upload;"
        f"print(sorted({heavy} & sys.modules.keys()))"
    )
    assert python(code) == "[]"


def write_sdk(folder: Path, package: bool) -> Path:
    plugins = folder / "synapse_sdk" / "plugins"
    plugins.mkdir(parents=True)
    for part in (plugins, plugins.parent):
        if package:
            (part / "__init__.py").write_text("REAL = True\n")
    return folder


@pytest.mark.parametrize("package", [True, False])
def test_the_real_one_wins(tmp_path: Path, package: bool) -> None:
    """Where the SDK is installed install() says False and does nothing, package or namespace."""
    path = write_sdk(tmp_path, package)
    code = (
        "import sys, handrail_synapse; before = list(sys.meta_path);"
        "print(handrail_synapse.install(), sys.meta_path == before);"
        "import synapse_sdk.plugins as p; print(hasattr(p, 'BaseUploadAction'))"
    )
    assert python(code, PYTHONPATH=str(path)).split() == ["False", "True", "False"]


def test_empty_folder_is_no_sdk(tmp_path: Path) -> None:
    """A folder that an uninstalled SDK left behind neither counts nor shadows the aliases."""
    (tmp_path / "synapse_sdk" / "__pycache__").mkdir(parents=True)
    code = (
        "import handrail_synapse; print(handrail_synapse.install());"
        "from synapse_sdk.plugins import BaseUploadAction"
    )
    assert python(code, PYTHONPATH=str(tmp_path)) == "True"


def test_module_without_spec_counts_as_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stub that a test put into sys.modules is left alone."""
    monkeypatch.setitem(sys.modules, "synapse_sdk", ModuleType("synapse_sdk"))
    assert handrail_synapse.install() is False


def test_install_on_import() -> None:
    """`import handrail_synapse.install` installs the aliases, and the function stays callable."""
    code = (
        "import handrail_synapse.install; from synapse_sdk.plugins.steps import BaseStep;"
        "print(handrail_synapse.install(), handrail_synapse.install() is True)"
    )
    assert python(code) == "True True"


def test_public_names() -> None:
    """Everything in __all__ is there, and nothing else is."""
    assert handrail_synapse.__all__ == sorted(handrail_synapse.__all__)
    for name in handrail_synapse.__all__:
        assert getattr(handrail_synapse, name) is not None
    with pytest.raises(AttributeError):
        _ = handrail_synapse.nothing


def test_imported_again_after_they_were_removed_they_are_there_again() -> None:
    importlib.import_module("handrail_synapse.install")
    handrail_synapse.uninstall()
    importlib.import_module("handrail_synapse.install")
    try:
        importlib.import_module("synapse_sdk.plugins.steps")
    finally:
        handrail_synapse.uninstall()
