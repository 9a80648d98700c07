"""The providers, one file and one class each."""
