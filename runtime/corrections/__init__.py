"""What calibration measured, read from its files and applied."""
