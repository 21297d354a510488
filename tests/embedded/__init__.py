"""What only the embedded adapters do: the log in SQLite, the blobs in a folder, and what forks find of them."""
