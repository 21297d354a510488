"""What only a bucket can do or suffer. What every blob store promises is in `tests/contract`."""
