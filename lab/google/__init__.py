"""Google's Gemini API, as far as it is known."""
