"""The path from a row of ``training_performance`` to the bytes of an answer."""
