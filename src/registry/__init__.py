"""Runs, registered models and their aliases, kept by MLflow: the only package that imports it, and only when asked."""
