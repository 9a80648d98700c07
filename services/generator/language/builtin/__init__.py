"""The analyst and the suggester that need no key and no network: they know no pictures."""
