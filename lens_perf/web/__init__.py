"""What people look at in a browser, made of files that come with the service: nothing is loaded from elsewhere."""
