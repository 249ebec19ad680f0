"""The commands that this pack adds to `handrail`."""
