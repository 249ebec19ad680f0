"""Settings of a project, the environment and the command line; every value knows its source."""
