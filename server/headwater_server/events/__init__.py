"""Version events over HTTP: in pages, and as streams that one reader of the projection feeds."""
