"""Replicate: predictions, their files and webhooks, and what they cost."""
