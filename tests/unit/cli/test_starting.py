"""What a command is spared while it starts."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from handrail.cli.starting import no_plugin_search

LOADER = "pydantic.plugin._loader"


@pytest.fixture
def no_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget pydantic's loader of plugins until the end of the test."""
    monkeypatch.delitem(sys.modules, LOADER, raising=False)


@pytest.mark.usefixtures("no_loader")
def test_no_plugins_are_searched_where_there_are_none() -> None:
    with no_plugin_search(list(sys.path)):

        class Inside(BaseModel):
            name: str

        assert Inside(name="a").name == "a"
    assert LOADER not in sys.modules

    class Outside(BaseModel):
        name: str

    assert Outside(name="a").name == "a"
    assert LOADER in sys.modules


@pytest.mark.usefixtures("no_loader")
def test_a_path_that_was_added_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_plugin_search(list(sys.path)):
        monkeypatch.syspath_prepend(tmp_path)

        class Inside(BaseModel):
            name: str

        assert Inside(name="a").name == "a"
        assert "get_plugins" in vars(sys.modules[LOADER])


@pytest.mark.usefixtures("no_loader")
def test_whoever_asks_for_more_gets_the_loader_itself() -> None:
    with no_plugin_search(list(sys.path)):
        stand_in = importlib.import_module(LOADER)
        assert stand_in.PYDANTIC_ENTRY_POINT_GROUP == "pydantic"
        assert sys.modules[LOADER] is not stand_in
