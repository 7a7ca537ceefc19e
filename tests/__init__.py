"""The tests, in packages that mirror those of lens_perf."""
