"""Trains in processes that may be killed; see `killing.forks`."""

from __future__ import annotations

from typing import Any

import obstore
import pyarrow.csv
import sklearn.linear_model
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import skops.io
from killing.forks import at_call, carry_out, serve

from handrail_storage.backend import LocalStore, ObjectStore
from handrail_train import DefaultTrainAction, checkpoints, evaluation, publishing

# So that no child has to.
LOADED = (obstore, pyarrow.csv, sklearn.linear_model, sklearn.neural_network, skops.io)
MORE = (sklearn.pipeline, sklearn.preprocessing)

STORES = (LocalStore, ObjectStore)
CALLS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("delete_found", "flush", "abort_unfinished", "withdraw"), STORES),
    "create": (publishing,),
    "write_whole": (checkpoints,),
    "remove": (checkpoints.Checkpoints,),
    "evaluate": (evaluation,),
    "publish": (publishing.Publishing,),
}


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Train, and go on, with no more waiting than is asked for."""
    for store in STORES:
        store.lag = min(store.lag, told["lag"])
    if told.get("call"):
        at_call(told, CALLS[told["call"]])
    return carry_out(DefaultTrainAction, told)


if __name__ == "__main__":
    serve(work)
