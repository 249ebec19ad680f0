"""The project of a folder: its settings, lock, local code and workflows, behind public doors."""
