"""Tests: contracts of each port, laws of the projector, simulations, behaviour through the SDK."""
