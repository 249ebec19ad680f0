"""Training data: a table in a file, or a data set of scikit-learn."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from handrail_train.data.examples import Examples as Examples
    from handrail_train.data.examples import Split as Split
    from handrail_train.data.source import BUNDLED as BUNDLED
    from handrail_train.data.source import MEASURED as MEASURED
    from handrail_train.data.source import SUFFIXES as SUFFIXES
    from handrail_train.data.source import load_examples as load_examples
    from handrail_train.data.source import stamp_of as stamp_of
    from handrail_train.data.splitting import split_examples as split_examples

__all__ = [
    "BUNDLED",
    "MEASURED",
    "SUFFIXES",
    "Examples",
    "Split",
    "load_examples",
    "split_examples",
    "stamp_of",
]

_HOMES = {
    "examples": ("Examples", "Split"),
    "source": ("BUNDLED", "MEASURED", "SUFFIXES", "load_examples", "stamp_of"),
    "splitting": ("split_examples",),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"{__name__}.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
