"""What a bundle costs on this machine: per graph, per percept, beside other variants and other ways to run it."""
