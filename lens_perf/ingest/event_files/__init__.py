"""The event files of TensorBoard: their framing, the messages within, and the scalars these hold."""
