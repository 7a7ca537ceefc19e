"""How Sphinx builds the documentation: from the checkout alone, without the network."""

from lens_perf import __version__

project = "lens_perf"
author = "the lens_perf developers"
version = release = __version__
extensions = ["sphinx_copybutton"]
html_theme = "furo"
html_title = f"lens_perf {release}"
# The prompt and the output of a session are not copied.
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .go, .gp"
exclude_patterns = ["_build"]
# External links, which `make linkcheck` checks where there is a network. Addresses of examples lead nowhere.
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"https?://[\w.-]*example\.org.*"]
