"""What `headwater_runtime` promises to every package above it."""
