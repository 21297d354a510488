"""Versions in local folders: plan a download, fetch it, check out, verify."""
