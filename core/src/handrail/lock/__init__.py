"""The lock of a project: the plans that may run, as `handrail.lock` has them."""
