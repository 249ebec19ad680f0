"""Names of versions: set, moved, taken away, also by many at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from handrail.errors import HandrailError
from handrail_train.aliases import change_alias, read_aliases
from handrail_train.command import models
from handrail_train.errors import VersionError
from handrail_train.store import open_store
from handrail_train.versions import Versions


@pytest.fixture
def run(params: Any, train: Any) -> Callable[..., str]:
    """Run `handrail models` where there are two versions."""
    train(params(epochs=1))
    train(params(epochs=8))

    def run(*words: str) -> str:
        done = CliRunner().invoke(models, list(words), catch_exceptions=False)
        assert not done.exit_code, done.output
        return done.output

    return run


def test_a_name_stands_for_a_version_until_another_has_it(run: Callable[..., str]) -> None:
    assert "flowers@1 is flowers@champion" in run("alias", "flowers@1", "champion")
    versions = Versions(open_store("models"))
    assert versions.get("flowers@champion").number == 1
    said = run("alias", "flowers@2", "champion")
    assert "it was flowers@1" in said
    assert "handrail models alias flowers@1 champion" in said
    assert versions.get("flowers@champion").number == 2
    assert "champion" in run("list").splitlines()[2]
    assert "called    champion" in run("show", "flowers@champion")
    run("alias", "flowers@2", "champion", "--remove")
    with pytest.raises(VersionError, match="no version of flowers is called champion"):
        versions.get("flowers@champion")


def test_a_version_that_has_a_name_is_not_removed(run: Callable[..., str]) -> None:
    run("alias", "flowers@1", "champion")
    with pytest.raises(HandrailError, match=r"(?s)called champion.*alias flowers@NUMBER champion"):
        run("remove", "flowers@1")
    run("remove", "flowers@2")


@pytest.mark.parametrize("name", ["latest", "3", "Champion", "a b", "../x", ""])
def test_what_cannot_be_a_name_is_refused(params: Any, train: Any, name: str) -> None:
    train(params())
    done = CliRunner().invoke(models, ["alias", "flowers@1", name])
    assert done.exit_code == 2
    assert "cannot be a name" in done.output


def test_versions_are_sorted_by_a_figure_and_compared(run: Callable[..., str]) -> None:
    best = json.loads(run("list", "--sort", "log_loss", "--json"))["models"]
    losses = [each["scores"]["log_loss"] for each in best]
    assert losses == sorted(losses)
    said = run("compare", "flowers")
    assert "flowers@1" in said.splitlines()[0]
    assert any(line.split()[:3] == ["epochs", "1", "8"] for line in said.splitlines())
    assert "*" in said
    document = json.loads(run("compare", "flowers@1", "flowers@2", "--json"))
    assert document["differing"] == ["epochs"]
    done = CliRunner().invoke(models, ["list", "--sort", "acuracy"])
    assert done.exit_code == 2
    assert "did you mean accuracy" in done.output


def test_many_at_a_time_lose_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "models"))
    store.prepare(lambda _: None)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(change_alias, store, "x", f"a{n}", n) for n in range(1, 9)]
        for job in jobs:
            job.result()
    assert read_aliases(store, "x") == {f"a{n}": n for n in range(1, 9)}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "models"))
    store.prepare(lambda _: None)
    store.small_files.put("labels/x.json", b'{"schema": 9}')
    with pytest.raises(VersionError, match=r"labels/x\.json is no file with the names"):
        change_alias(store, "x", "a", 1)
