"""From a company's own tables to the canonical ones, and the engine that queries them.

`contract` declares the canonical tables (in the words of `schema`), `locations` and `sources` find and open a company's
own, `mapping` (with `expressions`), `convert` and `typed` turn their columns into canonical ones, `rules`, `findings`
and `checks` hold them against the contract, `enrich`, `buckets` and `ingest` write them once, and a `Dataset` is what
all else reads.
"""
