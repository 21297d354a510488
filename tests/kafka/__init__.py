"""What only the log on Kafka has: topics that change under it, brokers that do not answer, groups."""
