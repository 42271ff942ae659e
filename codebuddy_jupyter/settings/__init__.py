"""Settings, API keys, and the files that hold them."""
