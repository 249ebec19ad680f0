"""How results, progress and failures look: as text for people, as JSON for programs."""
