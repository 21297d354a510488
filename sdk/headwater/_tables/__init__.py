"""Tables: cells, columns, their Parquet form, and tables in parts."""
