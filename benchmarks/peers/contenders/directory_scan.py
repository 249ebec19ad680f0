"""The floor of a discovery: each folder of a distribution is found, and its entry points read."""

from __future__ import annotations

import os
import sys

found = 0
for place in sys.path:
    try:
        entries = list(os.scandir(place))
    except OSError:
        continue
    for entry in entries:
        if entry.name.endswith(".dist-info"):
            try:
                with open(entry.path + "/entry_points.txt") as file:
                    found += "[handrail.packs]" in file.read()
            except OSError:
                pass
print(found)
