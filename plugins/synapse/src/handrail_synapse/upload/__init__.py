"""The upload of eight steps: its params, its steps, their strategies, and the report of files."""
