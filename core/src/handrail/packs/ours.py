"""Our own distributions that hints name, by what they bring. Nothing else in the core names one."""

from __future__ import annotations

# As their entry points call them.
COMMANDS = {"check": "handrail-testing", "new.pack": "handrail-testing"}
