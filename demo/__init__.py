"""The demo: an invented exam board with its centres, institutions, candidates and results."""
