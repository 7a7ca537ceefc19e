"""Public text against the list of discouraged words."""
