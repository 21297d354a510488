"""Values of columns that readers know, too: who reads through a server needs these of the rows alone."""

FILE, REFERENCE, REMOVED, EXECUTABLE = 0, 1, 2, 3  # EntryRow.kind; EXECUTABLE is a file, too
FILE_KINDS = (FILE, EXECUTABLE)

RUNNING = "running"  # RunStateRow.state until the run finishes
