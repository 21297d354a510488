"""The service: one address for many clients, in front of a folder or the servers of a profile."""
