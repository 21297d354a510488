"""The write side: commands become events, numbered and confirmed; content is staged and published."""
