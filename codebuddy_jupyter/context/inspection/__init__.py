"""What the live kernel and the installed packages tell about code, without running it."""
