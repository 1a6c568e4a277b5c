"""From what was fetched to an image: canonical layers, their assembly, the engine that takes it."""
