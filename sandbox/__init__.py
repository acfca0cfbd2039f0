"""A bench of its own for demonstrations and tests, built from the package registries alone."""
