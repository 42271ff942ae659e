"""The conversation: a reply while it streams, the turns, and what is kept on disk."""
