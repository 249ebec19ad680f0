"""Trainings in an MLflow tracking server, by its REST API 2.0."""
