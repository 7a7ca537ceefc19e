"""Access control: bearer tokens, and addresses that may be served without them. Independent of Flask."""
