"""What a version holds and says: entries over a base, attributes, links, differences."""
