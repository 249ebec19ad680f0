"""Params of actions: the markers for their fields, and the way from text to a step.

A value is converted once from text (`conversion`), validated once (`validation`), and carried to
the steps as the model that came of it (`context`).
"""

from __future__ import annotations

from handrail.params.model import Argument as Argument
from handrail.params.model import FromEnv as FromEnv
from handrail.params.model import Option as Option
