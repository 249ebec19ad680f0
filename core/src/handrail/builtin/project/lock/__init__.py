"""The lock of a project, `handrail.lock`: the plans that may run."""
