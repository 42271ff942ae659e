"""Threads and the event loop that run beside the user's cells."""
