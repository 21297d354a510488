"""References: what a URI stands for, and its bytes, against real servers of each kind."""
