"""Packs: installed distributions that contribute actions, steps, hooks and commands."""
