"""TensorBoard event files: their framing, messages and scalars."""
