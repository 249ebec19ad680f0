"""Settings from the project, the environment and the command line, each with its source."""
