"""What tests share: strategies for random input, samples, and helpers to run real processes."""
