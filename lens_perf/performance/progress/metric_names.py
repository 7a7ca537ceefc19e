"""Recognises losses by their names."""

import re

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
LOSS_WORDS = frozenset({"loss", "losses", "ppl", "perplexity", "nll"})
# The loss scale of mixed precision is not a loss, and neither are counts, times and weights of losses.
OTHER_WORDS = frozenset({"scale", "scaler", "scaling", "time", "count", "weight"})


def is_loss(metric_name: str) -> bool:
    """Return whether a metric is a loss of training or validation, such as ``lm_loss`` or ``eval/ppl``."""
    words = {word.lower() for word in WORDS.findall(metric_name)}
    return bool(words & LOSS_WORDS) and not words & OTHER_WORDS
