"""The commands that it adds to `handrail`."""
