"""Training data: a table in a file, or a data set of scikit-learn."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_train.data.dataset import Choice as Choice
    from handrail_train.data.dataset import Dataset as Dataset
    from handrail_train.data.encoder import TableEncoder as TableEncoder
    from handrail_train.data.examples import Examples as Examples
    from handrail_train.data.examples import Split as Split
    from handrail_train.data.source import BUNDLED as BUNDLED
    from handrail_train.data.source import Source as Source
    from handrail_train.data.source import load_dataset as load_dataset
    from handrail_train.data.splitting import Division as Division
    from handrail_train.data.splitting import Rows as Rows
    from handrail_train.data.target import Target as Target

__all__ = [
    "BUNDLED",
    "Choice",
    "Dataset",
    "Division",
    "Examples",
    "Rows",
    "Source",
    "Split",
    "TableEncoder",
    "Target",
    "load_dataset",
]

_HOMES = {
    "dataset": ("Choice", "Dataset"),
    "encoder": ("TableEncoder",),
    "examples": ("Examples", "Split"),
    "source": ("BUNDLED", "Source", "load_dataset"),
    "splitting": ("Division", "Rows"),
    "target": ("Target",),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
