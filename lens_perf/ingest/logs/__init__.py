"""Readers of training logs; the dialect of each framework is declared in a TOML file."""
