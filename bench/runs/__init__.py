"""What is run and timed: graphs alone, samples to percepts, peers beside it, and how far it can be driven."""
