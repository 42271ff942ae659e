"""Split Markdown into blocks while it streams, and make it safe to display."""
