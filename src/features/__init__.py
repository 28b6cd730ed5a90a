"""Features as they were known at a cutoff: blocks of declarations, and the snapshots that are built from them."""
