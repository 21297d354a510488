"""The HTTP interface for people: everything that is recorded, as resources under /v1, and writing it by JSON."""
