"""Executors, which work on the items of steps: those of this machine, and what a worker needs."""

from __future__ import annotations
