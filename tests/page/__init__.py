"""The page in a real browser: what people do with it, each with a screenshot."""
