"""The HTTP face of the service: views, schemas, argument rules and error answers."""
