"""Data points: query objects, encodings and writers, in constant memory."""
