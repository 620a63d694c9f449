"""The type of each graph, decided by measurement."""
