"""The store that `HEADWATER_URL` names: its log, database, projection and blobs; opening and maintaining it.

What every program on a store needs, the SDK as well as the server: settings, and telling people what is done and waited
for.
"""
