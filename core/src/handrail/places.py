"""Places: what runs parts of a run elsewhere, such as in a process of its own.

Public names are imported on first use, so importing this module costs nothing.
"""

from __future__ import annotations

from handrail.lazy import lazy_imports

with lazy_imports(__name__):
    from handrail.engine.places import Performer as Performer
    from handrail.engine.places import RunToPerform as RunToPerform
