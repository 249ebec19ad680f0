"""The distributions of Handrail that hints name; no other module of core names one."""

from __future__ import annotations

# By the names of their entry points.
COMMANDS = {"check": "handrail-testing", "new.pack": "handrail-testing"}
