"""Look up what was recorded, outside any run: the `Api`, its collections and open drafts."""
