"""The training of a migrated plugin: its data set, its steps, and the model that it registers."""
