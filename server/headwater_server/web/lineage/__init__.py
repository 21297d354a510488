"""Pictures of lineage: what is around a version or run, which of it is drawn, and what is said of it."""
