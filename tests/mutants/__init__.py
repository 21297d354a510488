"""Single faults put into the core at random, to see which of them the fast tests notice. Run by `make mutants`."""
