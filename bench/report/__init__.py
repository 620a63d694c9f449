"""What was measured, as figures, as a file, as tables and as a page."""
