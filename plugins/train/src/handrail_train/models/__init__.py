"""The kinds of models that can be trained; other packs add more."""

from __future__ import annotations

from handrail_train.data.examples import shuffled
from handrail_train.models.installed import installed_kinds, kind_named
from handrail_train.models.kind import Fit, Hyper, ModelKind
from handrail_train.models.sklearn_kind import SklearnKind

__all__ = [
    "Fit",
    "Hyper",
    "ModelKind",
    "SklearnKind",
    "installed_kinds",
    "kind_named",
    "shuffled",
]
