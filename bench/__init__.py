"""Benchmarks: each figure is one JSON line, the median of several rounds beside a limit taken in the same rounds.

    python -m bench [NAME…] [--services] [--quick] [--rounds N] [--work FOLDER]

One module a row of the table of what is to be reached; `harness` runs them. What is measured runs in a process of its
own, which has imported everything and done nothing else, on a store and a cache that are its own. Compare ratios: the
seconds are the machine's.

Rows whose name ends in "-services" are measured on Kafka, PostgreSQL and MinIO, which are started for it and keep what
they confirm; HEADWATER_TEST_SERVERS=FILE names running ones instead. Where the same row exists for a folder, it is the
same code with another store, beside what the servers' own clients need for as much.

Leave ten minutes between two runs on ext4. It does not reuse an inode for minutes after its file was deleted, and every
file that is made meanwhile walks past those; so nothing small is deleted here before the end.
"""
