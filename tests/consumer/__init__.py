"""Tests of the contract: formats, names, digests, errors."""
