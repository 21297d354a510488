"""Content-addressed bytes: the port in `port`, one module or package for each adapter, and packs of small files."""
