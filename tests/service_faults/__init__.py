"""Real processes and real servers, ended, frozen and cut off at the worst moment.

After each fault: what was acknowledged is there once and whole, a replay of the log agrees, and who waited was told.
"""
