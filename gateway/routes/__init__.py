"""One file for each kind of thing that the gateway shows."""
