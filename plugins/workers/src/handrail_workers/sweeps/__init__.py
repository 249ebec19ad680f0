"""Sweeps: an action run at each point of a grid, with a record and an undo for every run."""
