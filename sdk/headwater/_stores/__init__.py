"""The log, the database and the blobs that one `HEADWATER_URL` names, and work on a whole store."""
