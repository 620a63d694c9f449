"""What runs a graph: one protocol, a file per backend, and which of them is usable here."""
