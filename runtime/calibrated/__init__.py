"""Numbers that were measured once, as a robot reads and applies them."""
