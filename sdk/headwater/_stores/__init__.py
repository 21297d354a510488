"""The store that `HEADWATER_URL` names: its log, database, projection and blobs; opening and maintaining it."""
