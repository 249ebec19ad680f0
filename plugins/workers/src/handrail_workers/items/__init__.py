"""The items of steps: cut into chunks, handed to an executor, accounted for, and undone."""

from __future__ import annotations
