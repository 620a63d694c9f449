"""A bundle on disk: what it declares, checked before it is used."""
