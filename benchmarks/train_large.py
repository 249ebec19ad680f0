"""Trainings on tables that do not fit into memory, beside a loop over pyarrow and scikit-learn.

Both read the same Parquet file batch by batch, divide it in the same way, scale the numbers, train
for the same epochs, look at the validation rows after each, and test. The loop reads the file
again in each pass and keeps nothing, so it needs little memory too; Handrail reads it once, deals
the rows out to chunks at random, and does what it does in any training: a journal, checkpoints,
figures, the importance of columns, diagrams, a manifest. Each is a process of its own.

    pip install -e core -e plugins/train 'lightgbm'
    python benchmarks/train_large.py [FOLDER] [ROUNDS]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED, EPOCHS, BATCH = 0, 3, 1 << 16
# Rows and columns.
TABLES = ((500_000, 30), (1_000_000, 10), (5_000_000, 10))
KINDS = ("sgd", "mlp", "lightgbm")


def make_table(path: Path, rows: int, columns: int) -> None:
    """Write rows of which a model can learn something."""
    names = [f"x{number}" for number in range(columns)]
    weights = np.random.default_rng(SEED).normal(size=columns)
    fields = [(name, pa.float64()) for name in names]
    with pq.ParquetWriter(path, pa.schema([*fields, ("kind", pa.string())])) as writer:
        for start in range(0, rows, BATCH):
            count = min(BATCH, rows - start)
            numbers = np.random.default_rng([SEED, start]).normal(size=(count, columns))
            kinds = np.where(numbers @ weights + np.abs(numbers[:, 0]) > 0, "yes", "no")
            values = {name: numbers[:, place] for place, name in enumerate(names)}
            writer.write_table(pa.table({**values, "kind": kinds}), row_group_size=BATCH)


def by_hand(path: Path, kind: str, out: Path) -> None:
    """Train with scikit-learn alone."""
    import skops.io
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    names = [name for name in pq.read_schema(path).names if name != "kind"]
    kinds = pq.read_table(path, columns=["kind"])["kind"].dictionary_encode().combine_chunks()
    classes = np.array(sorted(kinds.dictionary.to_pylist()))
    places = np.searchsorted(classes, kinds.dictionary.to_pylist()).astype("uint8")
    codes = places[kinds.indices.to_numpy()]
    parts = np.full(len(codes), 0, dtype="uint8")
    order = np.random.default_rng(SEED).permutation(len(codes))
    tested, validated = len(codes) // 5, len(codes) * 4 // 50
    parts[order[:tested]], parts[order[tested : tested + validated]] = 2, 1

    def batches() -> Iterator[tuple[Any, Any, Any]]:
        start = 0
        # With the usual buffer before it, all of the file would be in memory.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH):
                stop = start + batch.num_rows
                columns = [batch[name].to_numpy() for name in names]
                yield np.column_stack(columns), codes[start:stop], parts[start:stop]
                start = stop

    sums, squares, count = np.zeros(len(names)), np.zeros(len(names)), 0
    for numbers, _, places in batches():
        train = numbers[places == 0]
        sums += train.sum(axis=0)
        squares += (train**2).sum(axis=0)
        count += len(train)
    mean = sums / count
    deviation = np.sqrt(squares / count - mean**2)
    model: Any = MLPClassifier((100,), batch_size=200, shuffle=False, random_state=SEED)
    if kind == "sgd":
        model = SGDClassifier(loss="log_loss", shuffle=False, random_state=SEED)

    def told(part: int) -> tuple[Any, Any]:
        found = [
            (model.predict_proba((numbers[here] - mean) / deviation)[:, 1], some[here])
            for numbers, some, places in batches()
            for here in (places == part,)
        ]
        return tuple(np.concatenate(each) for each in zip(*found, strict=True))

    with threadpool_limits(limits=1, user_api="blas"):
        for epoch in range(1, EPOCHS + 1):
            rng = np.random.default_rng([SEED, epoch])
            for numbers, some, places in batches():
                here = rng.permutation(np.flatnonzero(places == 0))
                scaled = (numbers[here] - mean) / deviation
                model.partial_fit(scaled, classes[some[here]], classes=classes)
            found, truth = told(1)
            print(epoch, log_loss(truth, found), ((found > 0.5) == truth).mean(), file=sys.stderr)
        found, truth = told(2)
    shown = [log_loss(truth, found), roc_auc_score(truth, found)]
    print(*shown, average_precision_score(truth, found), file=sys.stderr)
    out.mkdir()
    skops.io.dump(model, out / "model.skops")
    told_of({"accuracy": float(((found > 0.5) == truth).mean())})


def with_handrail(path: Path, kind: str, out: Path) -> None:
    """Train as a journaled run."""
    from handrail import RuntimeContext
    from handrail.sqlite import SqliteJournal
    from handrail_train import DefaultTrainAction

    out.mkdir()
    params = {
        "data": str(path),
        "target": "kind",
        "kind": kind,
        "store": str(out / "models"),
        "folder": out / "state",
        "epochs": EPOCHS if kind != "lightgbm" else 30,
        "name": "model",
    }
    journal = SqliteJournal(out / "runs.db")
    found = DefaultTrainAction(params, RuntimeContext(), packs=()).run(journal=journal)
    journal.close()
    told_of({"accuracy": found["metrics"]["accuracy"]})


def told_of(figures: dict[str, Any]) -> None:
    """Print figures, and the peak memory of this process in MB."""
    with open("/proc/self/status") as file:
        (peak,) = (int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    print(json.dumps({**figures, "peak": peak / 1000, "busy": time.process_time()}))


def measured(name: str, path: Path, kind: str, out: Path) -> dict[str, Any]:
    """Run one of the two in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--one", name, str(path), kind, str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "seconds": time.perf_counter() - began}


def main(folder: str | None = None, rounds: str = "1") -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        print("| table | kind | | seconds | processor time | peak memory | accuracy |")
        print("|---|---|---|---|---|---|---|")
        for rows, columns in TABLES:
            path = Path(temporary, f"{rows}.parquet")
            make_table(path, rows, columns)
            for kind in KINDS:
                for name in ("by hand", "handrail"):
                    if (name, kind) == ("by hand", "lightgbm"):
                        continue
                    found = [
                        measured(name, path, kind, Path(temporary, f"{rows}-{kind}-{name}-{n}"))
                        for n in range(int(rounds))
                    ]
                    figures = {
                        each: statistics.median(one[each] for one in found)
                        for each in ("seconds", "busy", "peak", "accuracy")
                    }
                    print(
                        f"| {rows:,} x {columns} | {kind} | {name} | {figures['seconds']:.1f} s | "
                        f"{figures['busy']:.1f} s | {figures['peak']:.0f} MB | "
                        f"{figures['accuracy']:.4f} |",
                        flush=True,
                    )
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run = {"by hand": by_hand, "handrail": with_handrail}[sys.argv[2]]
        run(Path(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
    else:
        main(*sys.argv[1:])
