"""How Sphinx builds the documentation: with what is in the checkout and nothing else."""

from lens_perf import __version__

project = "lens_perf"
author = "the lens_perf developers"
version = release = __version__
html_theme = "alabaster"
html_theme_options = {"description": "The Training Performance API", "fixed_sidebar": True}
exclude_patterns = ["_build"]
