"""Secrets among params are known at any time, and looked for once."""

from __future__ import annotations

import sys
from types import ModuleType

from pydantic import BaseModel, SecretStr

from handrail.params import model
from handrail.params.model import secret_fields, secrets_of

SOURCE = """
from __future__ import annotations
from pydantic import BaseModel

class Params(BaseModel):
    host: str
    keys: list[Key]
"""
LATER = """
from pydantic import SecretStr

class Key(BaseModel):
    token: SecretStr
"""


def test_a_secret_in_a_type_that_is_defined_later_is_one(monkeypatch):
    """The answer from before, when nobody could know, is not kept."""
    module = ModuleType("acme_later")
    monkeypatch.setitem(sys.modules, "acme_later", module)
    exec(SOURCE, vars(module))
    assert secret_fields(module.Params) == frozenset()
    exec(LATER, vars(module))
    assert secret_fields(module.Params) == {"keys"}
    assert secrets_of(module.Params) == {("keys",)}


def test_the_types_of_a_model_are_looked_into_once(monkeypatch):
    class Params(BaseModel):
        host: str
        token: SecretStr

    looked_at = []
    real = model.is_secret
    monkeypatch.setattr(model, "is_secret", lambda info: looked_at.append(info) or real(info))
    for _ in range(3):
        assert secrets_of(Params) == {("token",)}
    assert len(looked_at) == 2
