"""Descriptions come from source files, and nothing is imported for them."""

from __future__ import annotations

import sys

import pytest

from handrail.builtin.project.docstrings import _source, describe_target

SOURCES = {
    "acme_docs/__init__.py": '''
        """The pack itself."""
        import os; os._exit(3)
        from .steps import Scan as Renamed
        from acme_docs.steps import Scan
        from acme_docs import looping
        from .deep import *
        with lazy_imports(__name__):
            from .steps import Tried as Late
        if TYPE_CHECKING:
            from .steps import Guarded
        else:
            from .steps import Guarded
        looping = looping
    ''',
    "acme_docs/steps.py": '''
        class Scan:
            """Refuse infected files.

            More about it.
            """
            class Inner:
                "An inner one"
            def method(self): "What it does."
        class Bare: ...
        class Empty:
            """   """
        def function():
            """
            First line after a break
            second line
            """
        async def later(): "Async too"
        scan = make()
        number: int = 3
        try:
            class Tried: "In a try"
        except ImportError: pass
        class Twice: "First"
        class Twice: "Second"
        class Guarded: "Behind a guard"
    ''',
    "acme_docs/hop1.py": "from acme_docs.hop2 import Thing\n",
    "acme_docs/hop2.py": "from acme_docs.hop1 import Thing\n",
    "acme_docs/rubbish.py": "class (",
    "acme_docs/sub/__init__.py": "from ..steps import Scan\nfrom . import inner\n",
    "acme_docs/sub/inner.py": '"""Inside."""\n',
}


@pytest.fixture
def planted(garden, monkeypatch):
    garden.plant("acme-docs", points={"steps": {"x": "acme_docs:X"}}, modules=SOURCES)
    monkeypatch.syspath_prepend(garden.site)
    _source.cache_clear()
    yield garden
    _source.cache_clear()
    assert "acme_docs" not in sys.modules


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("acme_docs", "The pack itself"),
        ("acme_docs.steps:Scan", "Refuse infected files"),
        ("acme_docs.steps:Scan [extra]", "Refuse infected files"),
        ("acme_docs.steps:Scan.Inner", "An inner one"),
        ("acme_docs.steps:Scan.method", "What it does"),
        ("acme_docs.steps:function", "First line after a break"),
        ("acme_docs.steps:later", "Async too"),
        ("acme_docs.steps:Tried", "In a try"),
        ("acme_docs.steps:Twice", "Second"),
        ("acme_docs:Scan", "Refuse infected files"),
        ("acme_docs:Renamed", "Refuse infected files"),
        ("acme_docs:Renamed.Inner", "An inner one"),
        ("acme_docs:Guarded", "Behind a guard"),
        ("acme_docs:Late", "In a try"),
        ("acme_docs.sub:Scan", "Refuse infected files"),
        ("acme_docs.sub.inner", "Inside"),
        ("acme_docs.steps:Bare", None),
        ("acme_docs.steps:Empty", None),
        ("acme_docs.steps:number", None),
        ("acme_docs.steps:scan", None),
        ("acme_docs.steps:Missing", None),
        ("acme_docs.steps:Scan.missing", None),
        ("acme_docs:looping", None),
        ("acme_docs.hop1:Thing", None),
        ("acme_docs.rubbish:Thing", None),
        ("acme_docs.nothing:Thing", None),
        ("acme_nowhere:Thing", None),
        ("sys:exit", None),
        ("not a value", None),
        ("", None),
    ],
)
def test_description(planted, value, text):
    """The first line of what the value leads to, wherever it is defined; else None."""
    assert describe_target(value) == text
