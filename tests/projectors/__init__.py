"""Projectors that share a log on Kafka and a projection in PostgreSQL: in this process, and each in its own."""
