"""Contracts: what each port promises, held to every adapter."""
