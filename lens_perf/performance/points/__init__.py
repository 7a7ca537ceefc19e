"""Data points: the query objects, the encodings and what writes them, in flat memory."""
