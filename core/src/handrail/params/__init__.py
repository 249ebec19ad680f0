"""Params of actions: models whose values are read, checked, stored and carried to the steps.

A value is converted once from text (`conversion`), validated once (`validation`), and carried to
the steps as the model that came of it (`context`). Public names are imported on first use.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.params.conversion import choices_of as choices_of
    from handrail.params.conversion import from_json as from_json
    from handrail.params.conversion import from_text as from_text
    from handrail.params.conversion import takes_text as takes_text
    from handrail.params.model import ActionParams as ActionParams
    from handrail.params.model import KeyPath as KeyPath
    from handrail.params.model import bare as bare
    from handrail.params.model import fields_of as fields_of
    from handrail.params.model import kind_at as kind_at
    from handrail.params.model import marker_of as marker_of
    from handrail.params.model import merge as merge
    from handrail.params.model import model_in as model_in
    from handrail.params.model import paths_of as paths_of
    from handrail.params.model import secret_fields as secret_fields
    from handrail.params.model import secrets_of as secrets_of
    from handrail.params.model import set_path as set_path
    from handrail.params.model import touches as touches
    from handrail.params.model import value_at as value_at
    from handrail.params.model import variable_of as variable_of
    from handrail.params.stored import not_kept as not_kept
    from handrail.params.validation import validated as validated
