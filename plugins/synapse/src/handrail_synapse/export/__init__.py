"""The export of a migrated plugin: what it asks of the service, and its six steps."""
