"""Plays a run that goes on: what is transient is rebuilt, then it goes forward or undoes."""
