"""The command `handrail models`: lists, shows, saves, removes; and what can be trained."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from handrail.cli import main
from handrail.errors import HandrailError
from handrail_train.command import models
from handrail_train.manifest import StoredFile, Version
from handrail_train.store import open_store
from handrail_train.versions import Versions


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command; what it raises for the command line to tell is raised here."""

    def run(*words: str) -> Result:
        result = CliRunner().invoke(models, words, standalone_mode=False)
        if isinstance(result.exception, HandrailError):
            raise result.exception
        assert result.exception is None, result.exception
        return result

    return run


@pytest.fixture
def stored(here: Path, params: Any, train: Any) -> None:
    """Two versions of flowers, which share nothing but the kind."""
    train(params())
    train(params(seed=1))


def test_versions_are_listed(stored: None, run: Any) -> None:
    head, one, two, last = run("list").output.splitlines()
    assert head.split() == ["VERSION", "CALLED", "KIND", "ACCURACY", "AUC", "SIZE", "CREATED"]
    assert one.split()[:3] == ["flowers@1", "-", "sgd"]
    assert two.split()[:3] == ["flowers@2", "-", "sgd"]
    assert last == "2 versions in models"
    document = json.loads(run("list", "--json").output)
    assert document["schema"] == 1
    assert [each["number"] for each in document["models"]] == [1, 2]
    assert run("list", "other").output == "0 versions of other in models\n"
    said = run("list", "flower").output
    assert said == "0 versions of flower in models; did you mean flowers?\n"


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_lists_fit_and_lose_nothing(
    here: Path, run: Any, monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    """Whole names, figures and reasons are there, also in a pipe, which has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    store = f"資料を送る/{'deep/' * 20}store"
    name = "recognizes-all-and-everything-that-there-is-in-any-picture"
    model = StoredFile(key=f"objects/00/{'0' * 64}", sha256="0" * 64, size=123_456_789)
    made = Version(
        name=name,
        number=1234,
        kind="a_kind_with_a_long_name_of_some_pack",
        run="01a2",
        created="2026-11-27T09:14:02+00:00",
        data="0" * 64,
        scores={"accuracy": 0.98765},
        libraries={},
        files={"model": model, "table": model, "report": model},
    )
    path = here / store / "versions" / name
    path.mkdir(parents=True)
    (path / "1234.json").write_bytes(made.to_bytes())
    (path / "7.json").write_bytes(b"{")
    lines = run("list", "--store", store).output.splitlines()
    # Commands are never broken, so that they can be copied.
    texts = [line for line in lines if not line.startswith("    handrail ")]
    assert width is None or max(map(_columns, texts)) <= width
    table = lines[: next(place for place, line in enumerate(lines) if "version" in line)]
    assert max(map(_columns, table)) <= (width or 100)
    assert lines[0].split()[:1] == ["VERSION"]
    shown = "".join("".join(lines).split())
    for words in (f"{name}@1234", made.kind, "0.9877", "123MB", "thisisnomanifest"):
        assert words in shown
    assert f"handrail models remove {name}@7 --store '{store}'" in "\n".join(lines)
    kinds = run("kinds", "sgd").output.splitlines()
    assert width is None or max(map(_columns, kinds)) <= width


def _columns(line: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in line)


def test_a_store_that_is_not_there_is_empty(here: Path, run: Any) -> None:
    assert run("list", "--store", "nowhere").output.splitlines()[-1] == "0 versions in nowhere"
    assert list(here.iterdir()) == []


def test_a_version_is_shown(stored: None, run: Any) -> None:
    said = run("show", "flowers@1").output
    for words in (
        *("flowers@1", "alpha=0.0001", "60 rows", "length number, width number"),
        *("kind: a, b, c", "3, kept after 3"),
    ):
        assert words in said
    document = json.loads(run("show", "flowers", "--json").output)
    assert (document["number"], document["report"]["params"]["seed"]) == (2, 1)


def test_the_files_of_a_version_are_saved(stored: None, run: Any, here: Path) -> None:
    assert "wrote out/card.md" in run("show", "flowers", "--save", "out").output
    names = sorted(path.name for path in (here / "out").iterdir())
    assert names == ["card.md", "lineage.json", "model.skops", "report.json", "table.json"]
    assert "| length | number |" in (here / "out" / "card.md").read_text()


def test_a_version_is_removed_and_nothing_of_another(stored: None, run: Any) -> None:
    assert run("remove", "flowers@1").output.startswith("removed flowers@1: ")
    versions = Versions(open_store("models"))
    (left,) = versions.all()
    versions.load(left)
    document = json.loads(run("remove", "flowers@2", "--json").output)
    assert document["removed"] == "flowers@2"
    assert list(open_store("models").listing("objects/")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("remove", "flowers"), "which version of flowers"),
        (("show", "flowerz"), "no model 'flowerz'.*did you mean flowers.*handrail models list"),
        (("show", "flowers@9"), "the latest is flowers@2.*handrail models list flowers"),
        (("show", "flowers", "--save", "/proc/none"), "/proc/none: .*that can be written"),
        (("show", "flowers", "--store", "x y"), "handrail models list --store 'x y'"),
        (("list", "--store", "flowers.csv"), "Not a directory"),
        (("kinds", "mpl"), "did you mean mlp"),
        (("list", "--store", "ftp://x"), "no storage is known as"),
    ],
)
def test_what_is_not_there_is_told(stored: None, run: Any, words: Any, said: str) -> None:
    with pytest.raises(HandrailError, match=f"(?s){said}"):
        run(*words)


def test_the_kinds_are_listed_with_their_packs(run: Any) -> None:
    lines = run("kinds").output.splitlines()
    assert ["mlp", "handrail-train"] in [line.split() for line in lines]
    listed = json.loads(run("kinds", "--json").output)["kinds"]
    assert {"name": "sgd", "pack": "handrail-train"} in listed


def test_the_hyper_parameters_of_a_kind_are_listed(run: Any) -> None:
    said = run("kinds", "sgd").output
    assert "log_loss, modified_huber" in said
    assert "handrail run train DATA --kind sgd -p hyper.loss=..." in said
    assert "integer > 0 or null" in run("kinds", "random_forest").output
    document = json.loads(run("kinds", "sgd", "--json").output)
    assert document["hyper"]["alpha"]["default"] == 0.0001
    assert "list of integer > 0" in run("kinds", "mlp").output


def test_a_damaged_manifest_hides_no_other_version_and_can_be_removed(
    stored: None, run: Any, here: Path
) -> None:
    path = here / "models/versions/flowers/1.json"
    path.write_bytes(path.read_bytes()[:-5])
    said = run("list").output.splitlines()
    assert said[1].startswith("flowers@2")
    assert said[-2].startswith("damaged: versions/flowers/1.json: this is no manifest")
    assert said[-1].endswith("remove it: handrail models remove flowers@1")
    document = json.loads(run("list", "--json").output)
    assert [each["number"] for each in document["models"]] == [2]
    assert [each["version"] for each in document["damaged"]] == ["flowers@1"]
    with pytest.raises(HandrailError, match=r"(?s)no manifest.*models remove flowers@1"):
        run("show", "flowers@1")
    assert run("remove", "flowers@1").output == "removed flowers@1: 5 files deleted\n"
    (left,) = Versions(open_store("models")).all()
    Versions(open_store("models")).load(left)


def test_a_report_that_somebody_else_wrote_is_told(stored: None, run: Any, here: Path) -> None:
    content = b"{}"
    digest = hashlib.sha256(content).hexdigest()
    key = f"objects/{digest[:2]}/{digest}.json"
    (here / "models" / key).parent.mkdir(exist_ok=True)
    (here / "models" / key).write_bytes(content)
    path = here / "models/versions/flowers/1.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["report"] = {"key": key, "sha256": digest, "size": 2}
    path.write_text(json.dumps(manifest))
    with pytest.raises(HandrailError, match="is no report of a training"):
        run("show", "flowers@1")


def test_what_would_steer_a_terminal_is_written_out(
    here: Path, params: Any, train: Any, run: Any
) -> None:
    path = here / "flowers.csv"
    given = params()
    path.write_text(path.read_text().replace(",a\n", ",\x1b[31ma\n"))
    train(given)
    assert "\\x1b[31ma, b, c" in run("show", "flowers").output


def test_the_command_alone_shows_its_help_as_the_command_line_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is wrong, and nothing is said twice."""
    assert main(["models"]) == 0
    told = capsys.readouterr()
    assert told.out.count("Usage: handrail models") == 1
    assert "list" in told.out
    assert told.err == ""


@pytest.mark.parametrize("words", ["show nope", "show flowers@9", "remove flowers@9", "show a/b"])
def test_a_version_that_is_not_there_is_a_mistake_in_the_call(
    stored: None, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """As of uploads and exports, it ends with 2; what is damaged ends with 1."""
    assert main(["models", *words.split()]) == 2
    assert "there is no" in capsys.readouterr().err
