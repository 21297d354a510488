"""The append-only log of events: the port in `port`, and one adapter a module. The only place that speaks Kafka."""
