"""Files: read only as far as they may be believed, and written whole or not at all."""
