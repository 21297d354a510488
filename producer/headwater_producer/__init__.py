"""The write side: commands become events, stamped with their place in their writer's order, and are confirmed."""
