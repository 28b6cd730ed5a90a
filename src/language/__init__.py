"""The small typed language in which features, populations and targets are declared, and its compiler."""
