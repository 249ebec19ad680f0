"""Trains in processes that may be killed; see `killing.forks`."""

from __future__ import annotations

from typing import Any

import obstore
import pyarrow.csv
import requests
import sklearn.linear_model
import sklearn.neural_network
import sklearn.pipeline
import sklearn.preprocessing
import skops.io
from killing.forks import Count, at_call, carry_out, serve

from handrail_storage.backend import LocalStore, ObjectStore
from handrail_train import DefaultTrainAction, checkpoints, evaluation, publishing
from handrail_train.mlflow import undo
from handrail_train.mlflow.client import Client

# So that no child has to.
LOADED = (obstore, pyarrow.csv, sklearn.linear_model, sklearn.neural_network, skops.io)
MORE = (sklearn.pipeline, sklearn.preprocessing, requests)

STORES = (LocalStore, ObjectStore)
CALLS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("delete_found", "flush", "abort_unfinished", "withdraw"), STORES),
    "create": (publishing,),
    "write_whole": (checkpoints,),
    "remove": (checkpoints.Checkpoints,),
    "evaluate": (evaluation,),
    "publish": (publishing.Publishing,),
}


def at_request(told: dict[str, Any]) -> None:
    """Kill the process at request number `nth` to MLflow whose path ends with `request`."""
    usual: Any = vars(Client)["_send"]

    def attempt(*given: Any, **named: Any) -> tuple[Any, Exception | None]:
        try:
            return usual(*given, **named), None
        except Exception as error:  # noqa: BLE001 - an answer too
            return None, error

    counted = Count(told["nth"], told["when"]).around(attempt)

    def send(client: Client, method: str, path: str, **given: Any) -> Any:
        is_meant = path.endswith(told["request"])
        answer, error = (counted if is_meant else attempt)(client, method, path, **given)
        if error is not None:
            raise error
        return answer

    setattr(Client, "_send", send)  # noqa: B010 - it is not to be assigned


def work(told: dict[str, Any]) -> dict[str, Any]:
    """Train, and go on, with no more waiting than is asked for."""
    for store in STORES:
        store.lag = min(store.lag, told["lag"])
    undo.LAG = told["lag"]
    if "request" in told:
        at_request(told)
    if told.get("call"):
        at_call(told, CALLS[told["call"]])
    return carry_out(DefaultTrainAction, told)


if __name__ == "__main__":
    serve(work)
