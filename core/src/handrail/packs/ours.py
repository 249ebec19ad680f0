"""Our own distributions that hints may name, by what they offer. No other module names one."""

from __future__ import annotations

# As their entry points call them.
COMMANDS = {"check": "handrail-testing", "new.pack": "handrail-testing"}
