"""Estimates by maximum likelihood that both features and models rest on: arrays in, numbers out."""
