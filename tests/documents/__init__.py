"""What users were told elsewhere that they can do, statement by statement, with `import headwater` instead."""
