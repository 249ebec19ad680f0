"""Whole trainings: what they make, tell, give back, and take back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from handrail import BaseStep, RuntimeContext, StepFailedError, StepRegistry, StepResult
from handrail.sqlite import SqliteJournal
from handrail_testing import run_action
from handrail_train import DefaultTrainAction, load_model
from handrail_train.folds import score_fold
from handrail_train.store import open_store
from handrail_train.versions import Versions


class Refuse(BaseStep[Any]):
    """Fails when all is done."""

    name = "refuse"
    progress_weight = 0.0

    def execute(self, context: Any) -> StepResult:
        raise PermissionError("the boss said no")


class Refused(DefaultTrainAction):
    """A training that fails when all is done."""

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        super().setup_steps(registry)
        registry.register(Refuse())


def test_a_model_is_trained_stored_and_can_be_used(here: Path, params: Any, train: Any) -> None:
    result = train(params(epochs=20))
    assert result["version"] == "flowers@1"
    assert result["metrics"]["accuracy"] > 0.9
    assert result["summary"].startswith("trained sgd for 20 epochs · accuracy ")
    assert result["next"] == {"look": "handrail models show flowers@1"}
    model = load_model("models", "flowers")
    rows = [{"length": 0.5, "width": -0.5}, {"width": 1.5, "length": 4.5}]
    assert model.predict(rows).tolist() == ["a", "c"]
    assert model.predict_proba(rows).shape == (2, 3)
    assert [each["name"] for each in model.schema] == ["length", "width"]
    assert not (here / ".handrail" / "train").exists() or not list(
        (here / ".handrail" / "train").iterdir()
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_table_in_chunks_is_trained_on_tested_and_cross_validated(params: Any, task: str) -> None:
    """All parts are larger than a chunk; the run says so, and the version tells it."""
    target = {"classification": "kind", "regression": "length"}[task]
    given = params(chunk_rows=10, test_share=0.4, validation_share=0.4, target=target)
    outcome = run_action(DefaultTrainAction, given)
    assert outcome.error is None
    said = outcome.context.results["load_dataset"].data
    assert said["summary"].startswith(f"60 rows in chunks of {said['chunk_rows']}, ")
    split = outcome.context.use_learnt().split
    parts = (split.train, split.validation, split.test)
    assert [len(list(part.chunks())) for part in parts] == [3, 2, 3]
    assert max(len(chunk) for part in parts for chunk in part.chunks()) <= 10
    assert outcome.context.metrics["rows"] == len(split.test) == said["test"] > 10
    assert {each["column"] for each in outcome.context.metrics["importance"]} >= {"width"}
    shared = {"params": {**given, "folds": 2}, "epochs": 1}
    figures = score_fold(0, cast("Any", SimpleNamespace(shared=shared)))
    assert ("accuracy" in figures) == (task == "classification")
    report = json.loads(
        Versions(open_store("models")).content(
            Versions(open_store("models")).get("flowers"), "report"
        )
    )
    assert report["dataset"]["chunk_rows"] == said["chunk_rows"]
    assert report["params"]["chunk_rows"] == 10


def test_a_kind_that_takes_all_rows_gets_them_as_arrays(params: Any) -> None:
    outcome = run_action(DefaultTrainAction, params(kind="random_forest", chunk_rows=10))
    assert outcome.error is None
    assert outcome.context.use_learnt().split.train.chunk_rows == 0
    assert "chunks" not in outcome.context.results["load_dataset"].data["summary"]


def test_what_is_stored_tells_all_that_it_depends_on(here: Path, params: Any, train: Any) -> None:
    train(params(hyper={"alpha": 0.01}, seed=7))
    versions = Versions(open_store("models"))
    version = versions.get("flowers")
    report = json.loads(versions.content(version, "report"))
    assert set(version.files) == {"model", "table", "report", "card", "lineage"}
    assert report["hyper"]["alpha"] == 0.01
    assert (report["params"]["seed"], report["params"]["epochs"]) == (7, 3)
    assert report["dataset"]["fingerprint"] == version.data
    assert report["dataset"]["target"]["classes"] == ["a", "b", "c"]
    assert len(report["history"]) == 3
    assert report["metrics"]["accuracy"] == version.scores["accuracy"]
    assert set(version.libraries) == {"numpy", "scikit-learn", "skops"}
    for name, file in version.files.items():
        assert file.sha256 in file.key
        assert len(versions.content(version, name)) == file.size


def test_the_same_training_again_makes_the_same_files_under_names_of_its_own(
    params: Any, train: Any
) -> None:
    train(params())
    assert train(params())["version"] == "flowers@2"
    files = [version.files for version in Versions(open_store("models")).all()]
    one, two = ({name: each.sha256 for name, each in given.items()} for given in files)
    assert one.pop("lineage") != two.pop("lineage")  # It names the run.
    assert one == two
    assert not {each.key for each in files[0].values()} & {each.key for each in files[1].values()}


def test_a_version_knows_where_it_comes_from(here: Path, params: Any, train: Any) -> None:
    def git(*words: str) -> None:
        names = ("-c", "user.name=ada", "-c", "user.email=ada@acme.example")
        subprocess.run(["git", *names, *words], cwd=here, check=True, capture_output=True)

    def lineage() -> Any:
        versions = Versions(open_store("models"))
        return json.loads(versions.content(versions.get("flowers"), "lineage"))

    train(params())
    assert lineage()["code"] is None
    git("init", "--quiet")
    git("add", "flowers.csv")
    git("commit", "--quiet", "--message=flowers")
    journal = SqliteJournal(here / ".handrail" / "runs.db")
    train(params(), journal=journal)
    found = lineage()
    assert len(found["code"]["commit"]) == 40
    assert found["code"]["changed"] is False
    assert (found["run"]["number"], found["source"]["address"]) == (1, "flowers.csv")
    assert found["seconds"] > 0
    assert found["machine"]["cores"]
    (here / "flowers.csv").write_text((here / "flowers.csv").read_text() + "1,1,a\n")
    train(params(), journal=journal)
    journal.close()
    assert lineage()["code"]["changed"] is True
    assert lineage()["source"]["sha256"] != found["source"]["sha256"]


@pytest.mark.parametrize("more", [{"seed": 1}, {"hyper": {"alpha": 0.5}}, {"epochs": 4}])
def test_another_training_gives_another_model(
    here: Path, params: Any, train: Any, more: dict[str, Any]
) -> None:
    train(params())
    train(params(**more))
    one, two = Versions(open_store("models")).all()
    assert one.files["model"].sha256 != two.files["model"].sha256


def test_progress_and_metrics_are_told_at_every_epoch(params: Any, tape: Any) -> None:
    shown: list[int] = []
    action = DefaultTrainAction(params(), RuntimeContext(logger=tape), packs=())
    action.run(progress_callback=lambda current, total=100: shown.append(current))
    assert [each for each in tape.progress if each[2] == "epochs"] == [
        (number, 3, "epochs") for number in (1, 2, 3)
    ]
    told = [value for category, value in tape.metrics if category == "train_model"]
    assert [value["epoch"] for value in told] == [1, 2, 3]
    assert all({"validation_loss", "validation_accuracy"} <= set(value) for value in told)
    assert tape.metrics[-1][0] == "evaluate_model"
    assert shown == sorted(set(shown))
    assert {20, 36, 53, 70, 80, 100} <= set(shown)


def test_a_failure_takes_back_all_that_was_made(here: Path, params: Any, world: Any) -> None:
    before = world(here)
    with pytest.raises(StepFailedError, match="the boss said no"):
        Refused(params(), packs=()).run()
    assert world(here) == before
    assert sorted(path.name for path in here.iterdir()) == ["flowers.csv"]


def test_a_failure_leaves_what_was_there_before(
    here: Path, params: Any, train: Any, world: Any
) -> None:
    train(params())
    before = world(here)
    for more in ({}, {"seed": 3}):
        with pytest.raises(StepFailedError):
            Refused(params(**more), packs=()).run()
        assert world(here) == before
    Versions(open_store("models")).load(Versions(open_store("models")).get("flowers"))


def test_ctrl_c_takes_back_all_that_was_made(here: Path, params: Any, world: Any) -> None:
    class Impatient:
        def log(self, *_: Any) -> None: ...
        def set_progress(self, *_: Any) -> None: ...
        def set_metrics(self, value: Any, category: Any = None) -> None:
            if value["epoch"] == 2:
                raise KeyboardInterrupt

    before = world(here)
    with pytest.raises(KeyboardInterrupt):
        DefaultTrainAction(params(), RuntimeContext(logger=Impatient()), packs=()).run()
    assert world(here) == before


def test_a_folder_for_checkpoints_that_cannot_be_made_is_told(
    here: Path, params: Any, world: Any
) -> None:
    (here / "state").write_text("in the way")
    before = world(here)
    outcome = run_action(DefaultTrainAction, params(folder="state/runs"))
    assert "cannot be made: Not a directory" in str(outcome.error)
    assert world(here) == before


def test_a_kept_failure_keeps_everything(here: Path, params: Any, tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "runs.db")
    with pytest.raises(StepFailedError):
        Refused(params(), packs=()).run(journal=journal, on_failure="keep")
    journal.close()
    assert Versions(open_store("models")).get("flowers").number == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("length,width,kind\n1,2,a\n3,4,a\n5,6,a\n", "only one class"),
        ("length,width,kind\n1,2,\n3,4,\n", "in every one of its 2 rows, of 'kind'"),
        ("length,width,kind\n1,2,a\n", "1 row, too few to be divided"),
        ("", "cannot be read as CSV"),
    ],
)
def test_bad_data_ends_the_run_before_anything_is_made(
    here: Path, flowers: Path, params: Any, world: Any, content: str, said: str
) -> None:
    flowers.write_text(content)
    before = world(here)
    outcome = run_action(DefaultTrainAction, params())
    assert said in str(outcome.error)
    assert world(here) == before


def test_a_training_that_diverges_is_told_and_leaves_nothing(
    here: Path, params: Any, world: Any, recwarn: Any
) -> None:
    hyper = {"learning_rate": 1e300, "solver": "sgd", "hidden": [4], "activation": "relu"}
    before = world(here)
    outcome = run_action(DefaultTrainAction, params(kind="mlp", hyper=hyper))
    assert "cannot be trained" in str(outcome.error) or "diverged" in str(outcome.error)
    assert world(here) == before


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_early_stopping_keeps_the_best_epoch(here: Path, params: Any, train: Any) -> None:
    hyper = {"trees_per_epoch": 1, "max_depth": 2}
    result = train(params(kind="random_forest", hyper=hyper, epochs=30, patience=2, tolerance=0.05))
    assert result["epochs"] < 30
    versions = Versions(open_store("models"))
    report = json.loads(versions.content(versions.get("flowers"), "report"))
    best = report["best_epoch"]
    assert result["epochs"] == best + 2
    assert len(load_model("models", "flowers").model.estimators_) == best


def test_without_a_validation_share_the_training_loss_is_all_there_is(
    here: Path, params: Any, train: Any
) -> None:
    train(params(validation_share=0.0))
    versions = Versions(open_store("models"))
    report = json.loads(versions.content(versions.get("flowers"), "report"))
    assert report["history"] == [{}, {}, {}]
    assert report["dataset"]["validation"] == 0


def test_a_part_without_a_test_stores_a_model_without_scores(here: Path, params: Any) -> None:
    class Untested(DefaultTrainAction):
        def setup_steps(self, registry: StepRegistry[Any]) -> None:
            super().setup_steps(registry)
            registry.unregister("evaluate_model")

    result = Untested(params(), packs=()).run()
    assert result["summary"] == "trained sgd for 3 epochs · flowers@1 in models"
    version = Versions(open_store("models")).get("flowers")
    assert version.scores == {}


def test_a_dry_run_reads_the_data_and_makes_nothing(
    here: Path, params: Any, world: Any, handrail: Callable[..., Any]
) -> None:
    before = world(here)
    done = handrail("run", "train", "flowers.csv", "--target", "kind", "--dry-run")
    assert "60 rows, 2 numbers, 3 classes (text)" in done.stderr
    assert "train mlp for 20 epochs at most on 42 rows" in done.stdout
    assert "store a new version of flowers in models" in done.stdout
    assert world(here) == before


def test_what_each_column_is_taken_for_is_told_before_a_training(
    here: Path, world: Any, handrail: Callable[..., Any]
) -> None:
    """With the whole reason, however many columns there are; and what the other steps would do."""
    names = [f"measured_at_{number}" for number in range(12)]
    head = ",".join([*names, "city", "name", "constant", "income"])
    rows = [
        ",".join([*(["1.5", "2.5"][row % 2] for _ in names), ("Bonn", "Kiel", "Ulm")[row % 3]])
        + f",n{row},7,{row}.5"
        for row in range(60)
    ]
    (here / "people.csv").write_text("\n".join([head, *rows]))
    before = world(here)
    done = handrail("run", "train", "people.csv", "--target", "income", "--folds", "3", "--dry-run")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert f"columns taken for number: {', '.join(names[:9])}" in told
    assert all(name in told for name in names)
    assert "columns taken for category: city (text, 3 different values)" in told
    assert "columns left out: constant (it has one value only: 7)" in told
    reason = "every value is another one; --column NAME=text or category keeps it"
    assert f"columns left out: name ({reason})" in told
    assert "train and test on 3 divisions of the rows" in told
    assert "test the model on 12 rows" in told
    assert "train would run 6 steps; nothing was done" in told
    assert world(here) == before


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_the_store_is_looked_at_before_anything_is_trained(
    here: Path,
    params: Any,
    world: Any,
    handrail: Callable[..., Any],
    moto: Any,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
) -> None:
    """A bucket that is missing is told by the first step, in a dry run too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.secret_key)
    before = world(here)
    done = handrail(
        *("run", "train", "flowers.csv", "s3://acme-missing/models"),
        *("--target", "kind", "--no-journal", *more),
    )
    assert done.returncode == 1
    assert "fail at check_store" in done.stderr.replace("failed", "fail")
    assert "NoSuchBucket (404 from s3://acme-missing/models)" in done.stderr
    assert "make the bucket first" in done.stderr
    assert "load_dataset" not in done.stderr
    assert world(here) == before


@pytest.mark.parametrize("left_out", ["load_dataset", "train_model"])
def test_parts_that_lack_what_they_need(
    here: Path, params: Any, handrail: Callable[..., Any], left_out: str
) -> None:
    done = handrail("run", "train", "flowers.csv", "--target", "kind", "--skip", left_out)
    assert done.returncode == 2
    assert f"it needs {left_out}, which was left out of this run" in done.stderr


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("more", "hyper"),
    [
        ({"target": "kind", "kind": "mlp"}, {"learning_rate": 1e30}),
        ({"target": "length", "kind": "mlp", "drop": ["kind"]}, {"learning_rate": 1e30}),
        (
            {"target": "length", "kind": "sgd", "drop": ["kind"]},
            {"learning_rate": "constant", "eta0": 1e3},
        ),
    ],
)
def test_a_training_that_diverges_fails_also_with_finite_figures(
    here: Path, params: Any, world: Any, more: dict[str, Any], hyper: dict[str, Any]
) -> None:
    before = world(here)
    outcome = run_action(DefaultTrainAction, params(hyper=hyper, epochs=4, **more))
    assert "diverged" in str(outcome.error) or "cannot be trained" in str(outcome.error)
    assert world(here) == before


@pytest.mark.parametrize("kind", ["mlp", "sgd"])
@pytest.mark.parametrize("target", ["kind", "length"])
def test_a_few_rows_are_no_divergence(
    here: Path, flowers: Path, params: Any, kind: str, target: str
) -> None:
    """Of a validation with one row or two, the loss says next to nothing."""
    lines = flowers.read_text().splitlines(keepends=True)
    flowers.write_text("".join(lines[:10]))
    for seed in range(6):
        outcome = run_action(
            DefaultTrainAction, params(kind=kind, target=target, epochs=2, seed=seed)
        )
        assert outcome.error is None


@pytest.mark.parametrize(
    ("target", "plots"),
    [
        ("kind", {"confusion matrix", "calibration", "importance of columns"}),
        ("width", {"told and true", "importance of columns"}),
    ],
)
def test_a_run_shows_how_the_test_went(
    params: Any, handrail: Callable[..., Any], target: str, plots: set[str]
) -> None:
    params()
    done = handrail("run", "train", "flowers.csv", "--target", target, "--kind", "sgd")
    assert done.returncode == 0, done.stderr
    step = json.loads(handrail("show", "1", "--json", "--step", "evaluate_model").stdout)["step"]
    assert {each["name"] for each in step["attachments"]} == plots
