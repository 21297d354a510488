"""Logging in the background, as users of the SDK see it: on a store in a folder, since servers play no part in it."""
