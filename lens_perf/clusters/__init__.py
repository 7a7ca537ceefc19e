"""One PostgreSQL per GPU cluster: names, connection pools and the rules of a transaction."""
