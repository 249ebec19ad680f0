"""Kinds of models are found by entry points: those of other packs too, and nothing is imported."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import NotFoundError
from handrail_train.errors import ModelError
from handrail_train.models import installed_kinds, kind_named
from handrail_train.models import kind as kind_module
from handrail_train.models.installed import GROUP, distribution_of
from handrail_train.models.sgd import SGD


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a distribution with entry points onto the path."""

    def install(distribution: str, **kinds: str) -> None:
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = "".join(f"{name} = {value}\n" for name, value in kinds.items())
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()

    return install


def test_another_pack_adds_a_kind_that_is_listed_without_being_imported(
    install: Callable[..., None],
) -> None:
    install("acme-forest", forest="acme_forest_that_is_not_there:Forest")
    found = {each.name: distribution_of(each) for each in installed_kinds()}
    assert found["forest"] == "acme-forest"
    assert list(found) == sorted(found)


def test_a_kind_of_another_pack_can_be_used(install: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "acme_lines.py").write_text(
        "from handrail_train.models.sgd import SGD\nclass Lines(SGD): 'Lines.'\n"
    )
    install("acme-lines", lines="acme_lines:Lines")
    assert isinstance(kind_named("lines"), SGD)


def test_a_broken_kind_is_told_with_its_pack(install: Callable[..., None]) -> None:
    install("acme-broken", broken="acme_not_there:Broken", wrong="json:JSONDecoder")
    with pytest.raises(ModelError, match="broken of acme-broken cannot be loaded"):
        kind_named("broken")
    with pytest.raises(ModelError, match="wrong of acme-broken is json:JSONDecoder, which is no"):
        kind_named("wrong")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("class Odd(SklearnKind): hyper = Hyper", "abstract"),
        ("class Odd(SGD):\n    def __init__(self, more): ...", "missing 1 required"),
        ("class Odd(SGD): hyper = dict", "derived from handrail_train.Hyper"),
        ("class Odd(SGD): hyper = None", "derived from handrail_train.Hyper"),
        ("raise SystemError('no\\nluck')", "SystemError: no luck"),
        ("def Odd(): ...", "which is no ModelKind"),
    ],
)
def test_a_kind_that_is_half_made_is_told_with_its_pack(
    install: Callable[..., None], tmp_path: Path, body: str, said: str
) -> None:
    name = f"acme_odd_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(
        "from handrail_train import Hyper, SklearnKind\n"
        f"from handrail_train.models.sgd import SGD\n{body}\n"
    )
    install("acme-odd", odd=f"{name}:Odd")
    with pytest.raises(ModelError, match=said) as error:
        kind_named("odd")
    assert "odd of acme-odd" in error.value.message
    assert "mend or update acme-odd" in error.value.ways_out


def test_two_packs_with_one_name_are_told(install: Callable[..., None]) -> None:
    install("acme-other", sgd="handrail_train.models.sgd:SGD")
    with pytest.raises(ModelError, match="called sgd: acme-other and handrail-train"):
        kind_named("sgd")


def test_an_unknown_kind_is_told_with_what_was_meant() -> None:
    with pytest.raises(ModelError, match=r"(?s)known as 'mpl'; there are .*did you mean mlp"):
        kind_named("mpl")


def test_a_kind_whose_library_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: Any = kind_module.find_spec
    monkeypatch.setattr(
        kind_module, "find_spec", lambda name: None if name == "lightgbm" else found(name)
    )
    with pytest.raises(ModelError, match=r"pip install 'handrail-train\[lightgbm\]'"):
        kind_named("lightgbm").check()


def test_a_project_has_kinds_of_its_own_in_a_file(here: Path) -> None:
    (here / "kinds.py").write_text(
        "from handrail_train.models.sgd import SGD\nclass Lines(SGD): 'Lines.'\n"
    )
    (here / "handrail.toml").write_text(
        '[local.kinds]\nlines = "kinds.py:Lines"\nsgd = "kinds.py:Lines"\nno = "kinds.py:No"\n'
    )
    assert type(kind_named("lines")).__name__ == "Lines"
    assert ("lines", "local") in [(each.name, distribution_of(each)) for each in installed_kinds()]
    with pytest.raises(ModelError, match="called sgd: handrail-train and local"):
        kind_named("sgd")
    with pytest.raises(NotFoundError, match=r"kinds\.py has no No"):
        kind_named("no")
