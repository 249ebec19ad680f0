"""Params of actions: models whose values are read, checked, stored and carried to the steps.

A value is converted once from text (`conversion`), validated once (`validation`), and carried to
the steps as the model that came of it (`context`). Public names are imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.params.model import value_at as value_at
