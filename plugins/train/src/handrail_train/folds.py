"""Cross-validation: a model is trained on each choice of folds but one, and tested on that one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from handrail_train.context import Learnt
from handrail_train.data import load_dataset
from handrail_train.data.splitting import fold_of
from handrail_train.evaluation import evaluate
from handrail_train.figures import FIGURES
from handrail_train.params import TrainParams
from handrail_train.predictor import Predictor
from handrail_train.training import one_thread

if TYPE_CHECKING:
    from handrail_workers import ItemContext


def score_fold(fold: int, item_context: ItemContext) -> dict[str, float]:
    """Return the figures of a model that was trained without a fold, tested on it.

    Args:
        fold: The number of the fold, from 0.
        item_context: Its `shared` has the `params` of the training and the number of `epochs`.
    """
    options = TrainParams.model_validate(item_context.shared["params"])
    epochs: int = item_context.shared["epochs"]
    kind, hyper = options.model_kind(), options.hyper_parameters()
    dataset = load_dataset(options.source(), options.choice(), options.folder)
    rows = fold_of(dataset, fold, folds=options.folds, seed=options.seed)
    learnt = Learnt.of(options, dataset, rows)
    split = learnt.split
    fit = kind.begin(hyper, split.train, options.seed)
    for number in range(1, epochs + 1):
        with one_thread(kind):
            fit.epoch(number)
    predictor = Predictor(kind=kind, model=fit.model, encoder=learnt.encoder, target=dataset.target)
    truth = dataset.values[rows.test] if split.test.is_regression else None
    found = evaluate(predictor.of(split.test), split.test, truth)
    return {name: found[name] for name in FIGURES if name in found}


def summed_up(found: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    """Return `mean`, `deviation` and `values` of each figure that all folds have."""
    folds = list(found)
    return {
        name: {
            "mean": statistics.fmean(values),
            "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
            "values": values,
        }
        for name in FIGURES
        if all(name in each for each in folds)
        for values in ([each[name] for each in folds],)
    }
