"""Writing by JSON: each request becomes events, which go the way of all that clients write."""
