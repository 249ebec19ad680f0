"""A training beside the loop over scikit-learn that somebody would write by hand.

Both read the same Parquet file, divide it, train the same network with the same shuffling, look at
the validation rows after each epoch, test, and write the model as skops. Handrail does so as a
journaled run, with a checkpoint after each epoch, metrics, pictures and a manifest.
They take turns, round after round, in one process, and the models have to be equal.

    pip install -e core -e plugins/train
    python benchmarks/train.py [FOLDER] [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from handrail import RuntimeContext
from handrail.sqlite import SqliteJournal
from handrail_train import DefaultTrainAction, load_model
from handrail_train.data import Division, Target

COLUMNS, CLASSES, SEED = 64, 10, 0
# Rows, units of the hidden layers, epochs.
CASES: tuple[tuple[int, list[int], int], ...] = (
    (2_000, [100], 20),
    (60_000, [100], 10),
    (60_000, [256, 128], 5),
)


def make_table(path: Path, rows: int) -> None:
    """Write rows of which a network can learn something."""
    chance = np.random.default_rng(rows)
    centres = chance.normal(size=(CLASSES, COLUMNS))
    codes = chance.integers(0, CLASSES, rows)
    features = centres[codes] + chance.normal(scale=3, size=(rows, COLUMNS))
    columns: dict[str, Any] = {f"x{number}": features[:, number] for number in range(COLUMNS)}
    pq.write_table(pa.table({**columns, "kind": codes}), path)


def by_hand(path: Path, hidden: list[int], epochs: int, out: Path) -> None:
    """Train with scikit-learn alone."""
    table = pq.read_table(path)
    names = [name for name in table.column_names if name != "kind"]
    features = np.column_stack([table[name].to_numpy() for name in names])
    classes, codes = np.unique(table["kind"].to_numpy(), return_inverse=True)
    target = Target(name="kind", task="classification", why="", classes=tuple(classes.tolist()))
    division = Division(test_share=0.2, validation_share=0.1, seed=SEED)
    parts = division.at_random(codes, target)
    mean, deviation = features[parts.train].mean(axis=0), features[parts.train].std(axis=0)
    scaled = (features - mean) / deviation
    model = MLPClassifier(tuple(hidden), batch_size=200, shuffle=False, random_state=SEED)
    train, labels = scaled[parts.train], classes[codes[parts.train]]
    validation, truth = scaled[parts.validation], codes[parts.validation]
    with threadpool_limits(limits=1, user_api="blas"):
        for epoch in range(1, epochs + 1):
            order = np.random.default_rng([SEED, epoch]).permutation(len(labels))
            model.partial_fit(train[order], labels[order], classes=classes)
            found = model.predict_proba(validation)
            loss = -np.log(found[np.arange(len(truth)), truth].clip(1e-15)).mean()
            right = (found.argmax(axis=1) == truth).mean()
            print(epoch, model.loss_, loss, right, file=sys.stderr)
    found = model.predict_proba(scaled[parts.test])
    print((found.argmax(axis=1) == codes[parts.test]).mean(), file=sys.stderr)
    out.mkdir()
    skops.io.dump(model, out / "model.skops")


def with_handrail(path: Path, hidden: list[int], epochs: int, out: Path) -> None:
    """Train as a journaled run."""
    out.mkdir()
    params = {
        "data": str(path),
        "target": "kind",
        "store": str(out / "models"),
        "folder": out / "state",
        "epochs": epochs,
        "hyper": {"hidden": hidden},
        "name": "model",
    }
    journal = SqliteJournal(out / "runs.db")
    DefaultTrainAction(params, RuntimeContext(), packs=()).run(journal=journal)
    journal.close()


def took(call: Callable[..., None], *given: Any) -> tuple[float, float]:
    """Return the seconds that a call took, and those of the processors."""
    began, busy = time.perf_counter(), time.process_time()
    call(*given)
    return time.perf_counter() - began, time.process_time() - busy


def same(one: Path, other: Path) -> bool:
    """Whether both models say the same of the same."""
    trusted = ["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"]
    theirs = skops.io.load(one / "model.skops", trusted=trusted)
    ours = load_model(str(other / "models"), "model")
    features = np.random.default_rng(1).normal(size=(500, COLUMNS))
    found = theirs.predict_proba(features)
    return bool(np.allclose(found, ours.probabilities(features), rtol=1e-9))


def main(folder: str | None = None, rounds: str = "5") -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        print("| data, network | scikit-learn | handrail | x scikit-learn | x, processor time |")
        print("|---|---|---|---|---|")
        for case, (rows, hidden, epochs) in enumerate(CASES):
            path = Path(temporary, f"{rows}.parquet")
            make_table(path, rows)
            by_hand(path, hidden, 1, Path(temporary, f"{case}-warm"))
            theirs: list[tuple[float, float]] = []
            ours: list[tuple[float, float]] = []
            for number in range(int(rounds)):
                outs = [Path(temporary, f"{case}-{number}-{name}") for name in ("hand", "run")]
                pairs = [(by_hand, outs[0], theirs), (with_handrail, outs[1], ours)]
                for call, out, kept in pairs if number % 2 else reversed(pairs):
                    kept.append(took(call, path, hidden, epochs, out))
                assert same(*outs)
            bare, run = (
                [statistics.median(each) for each in zip(*some, strict=True)]
                for some in (theirs, ours)
            )
            units = " and ".join(map(str, hidden))
            print(
                f"| {rows:,} rows, {units} units, {epochs} epochs | {bare[0]:.2f} s "
                f"| {run[0]:.2f} s | {run[0] / bare[0]:.2f} | {run[1] / bare[1]:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
