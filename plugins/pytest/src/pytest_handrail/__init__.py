"""Fixtures for the tests of Handrail steps, actions and packs.

Installing it is all there is to do: pytest finds `pytest_handrail.plugin` by itself.
"""

from __future__ import annotations

__version__ = "0.1.0"
