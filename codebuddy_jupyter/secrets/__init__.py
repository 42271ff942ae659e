"""Find secrets in text and redact them. Does no I/O and does not know who calls it."""
