"""Tables: cells, columns, their Parquet form, and partitioned tables."""
