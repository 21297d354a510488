"""Many processes on one store, simulated in one thread: every crash, delay and lost answer comes from one seed.

`schedules` makes a `world` that runs virtual processes step by step: `writers`, whose scripts are made of `tasks`, and
`daemons`; `scenes` says who is in it. `faults` says what may happen to them; `simulated_log`, `simulated_blobs` and
`simulated_database` are the ports as these processes reach them, and `home` keeps their databases between schedules.
`ledger` is what writers were told, `invariants` and `replaying` what must be true whatever happened, `copies` what must
be true of copies of the log. `mutants` are the same product with one safeguard taken out.
"""
