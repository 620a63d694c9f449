"""What comes in while bench measures: samples that are due, and bundles with what they are fed with."""
