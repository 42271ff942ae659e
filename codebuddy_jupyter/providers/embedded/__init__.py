"""The provider that runs llama.cpp in a child process, and its models."""
