"""What a fusion says, as people read it."""
