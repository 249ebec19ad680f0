"""Training data: a table in a file, or a data set of scikit-learn."""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
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
