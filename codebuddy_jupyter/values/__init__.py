"""Answers as values: types as JSON schemas, and answers that are read by them."""
