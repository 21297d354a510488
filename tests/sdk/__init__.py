"""Behaviour through the SDK and the command line, and the parts of the SDK that have rules of their own."""
