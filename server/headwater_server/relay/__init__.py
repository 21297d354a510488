"""The relay: it writes version events to a topic of Kafka, as they are projected.

`relaying` is the loop, `records` what an event is in Kafka, `status` its state with its pages and figures, `running`
opens what it needs and runs it, as a process or in a thread of a server.

Of several relays one holds the lease and writes. Its position moves once Kafka has confirmed, so after a crash some
events are written a second time, with the same ids and the same `sequence`.
"""
