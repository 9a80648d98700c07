"""The gateway: the studio over HTTP, as REST, as event streams and as a page."""
