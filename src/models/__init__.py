"""Models: encoding, boosted trees, calibration, the rules they must beat, and the folder that is shipped."""
