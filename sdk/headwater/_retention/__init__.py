"""Retention as a client has it: set policies, write them to files, and delete what is not kept any more."""
