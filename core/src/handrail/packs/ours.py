"""Our own distributions that hints may name, by what they offer. No other module names one."""

from __future__ import annotations

# By the names of their entry points.
COMMANDS = {
    "check": "handrail-testing",
    "claims": "handrail-storage",
    "new.pack": "handrail-testing",
}
