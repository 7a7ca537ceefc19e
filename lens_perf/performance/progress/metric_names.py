"""Which metrics are losses, by their names."""

import re

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
LOSS_WORDS = frozenset({"loss", "losses", "ppl", "perplexity", "nll"})
# The loss scale of mixed precision is no loss, and falls and rises by design; nor are counts and times of losses.
OTHER_WORDS = frozenset({"scale", "scaler", "scaling", "time", "count", "weight"})


def is_loss(metric_name: str) -> bool:
    """Whether a metric is a loss, of training or validation, as ``lm_loss`` or ``eval/ppl``, but not ``loss_scale``."""
    words = {word.lower() for word in WORDS.findall(metric_name)}
    return bool(words & LOSS_WORDS) and not words & OTHER_WORDS
