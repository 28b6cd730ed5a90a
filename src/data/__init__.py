"""From a company's own tables to the canonical ones: contract, sources, checks, ingest, and the engine that queries them."""
