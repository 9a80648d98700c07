"""OpenAI's own API, as far as it is known."""
