"""The provider for model servers on the user's own machine, and their discovery."""
