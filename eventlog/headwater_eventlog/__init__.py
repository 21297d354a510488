"""The append-only log of events: the port in `port`, and its adapters. Only this package uses Kafka."""
