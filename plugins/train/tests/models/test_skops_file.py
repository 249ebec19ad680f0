"""Model files: equal for equal models, and nothing in them is made that is not allowed."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from handrail_train.errors import ModelError
from handrail_train.models.hist_gradient_boosting import HistGradientBoosting
from handrail_train.models.mlp import MLP
from handrail_train.models.skops_file import canonical, dump_skops, load_skops


def model() -> Any:
    features = np.arange(12.0).reshape(6, 2)
    return Pipeline([("model", GaussianNB().fit(features, [0, 1] * 3))])


def test_two_files_of_one_model_differ_and_their_canonical_forms_do_not() -> None:
    one, other = dump_skops(model(), ()), dump_skops(model(), ())
    assert one != other
    assert canonical(one) == canonical(other) == canonical(canonical(one))


def test_the_canonical_form_holds_the_same_model() -> None:
    features = np.linspace(0, 20, 30).reshape(15, 2)
    there = load_skops(canonical(dump_skops(model(), ())), ())
    assert (there.predict_proba(features) == model().predict_proba(features)).all()


def test_what_is_one_object_twice_stays_one() -> None:
    shared = np.arange(3.0)
    found = load_skops(canonical(dump_skops({"a": [shared, shared]}, ())), ())
    assert found["a"][0] is found["a"][1]


def test_gaps_in_records_have_nothing_in_them() -> None:
    kind = np.dtype({"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [0, 8]})
    files = []
    for filler in (b"\x11", b"\x22"):
        records = np.frombuffer(filler * 32, kind).copy()
        records["a"], records["b"] = 1, 2.0
        files.append(canonical(dump_skops({"records": records}, ())))
    assert files[0] == files[1]


def test_a_pickle_is_no_model() -> None:
    with pytest.raises(ModelError, match="no skops file"):
        load_skops(pickle.dumps(model()), ())


class Evil:
    """A type that nobody allows."""

    def __init__(self) -> None:
        self.value = 1


def test_a_type_that_is_not_allowed_is_refused_when_written_and_when_read() -> None:
    with pytest.raises(ModelError, match=r"not allowed: .*Evil"):
        dump_skops(Evil(), ())
    name = f"{Evil.__module__}.Evil"
    content = dump_skops(Evil(), (name,))
    with pytest.raises(ModelError, match=r"not allowed: .*Evil"):
        load_skops(content, MLP.allowed)


def test_a_function_smuggled_into_a_model_is_refused() -> None:
    content = dump_skops(model(), ())
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            text = source.read(name)
            if name == "schema.json":
                schema = json.loads(text)
                state = schema["content"]["content"]
                state["verbose"] = {
                    "__class__": "system",
                    "__module__": "os",
                    "__loader__": "TypeNode",
                    "__id__": 1,
                }
                text = json.dumps(schema).encode()
            target.writestr(name, text)
    with pytest.raises(ModelError, match=r"not allowed: os\.system"):
        load_skops(out.getvalue(), MLP.allowed)


def test_the_allow_lists_are_exact() -> None:
    """What one kind needs is not allowed in the files of another."""
    assert not set(MLP.allowed) & set(HistGradientBoosting.allowed)
    assert all(
        name.startswith("sklearn.") for name in (*MLP.allowed, *HistGradientBoosting.allowed)
    )


def test_a_skops_file_with_something_else_is_no_model_of_this_kind() -> None:
    with pytest.raises(ModelError, match="no model that was trained here"):
        MLP().load(dump_skops({"a": 1}, ()))
