"""Content-addressed bytes: the port in `port`, one adapter a module, and packs of small files."""
