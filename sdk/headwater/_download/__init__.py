"""Versions in local folders: plan, fetch, check out, verify."""
