"""`python -m handrail` is the `handrail` command."""

from __future__ import annotations

import sys

from handrail.cli import main

sys.exit(main())
