"""Installs the aliases when it is imported: `import handrail_synapse.install`."""

from __future__ import annotations

import sys
from typing import Any, cast

from handrail_synapse.finder import install

install()
# So that `handrail_synapse.install` stays the function that can be called.
sys.modules[__name__] = cast("Any", install)
