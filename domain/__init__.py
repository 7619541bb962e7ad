"""The pure core: aggregates, policies and projections of the pool. No I/O, clock or randomness."""
