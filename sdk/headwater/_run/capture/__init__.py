"""What a run executes: the state of its code, and its environment. Nothing here takes a secret along."""
