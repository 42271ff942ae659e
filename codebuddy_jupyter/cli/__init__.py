"""The command ``codebuddy`` of a terminal."""
