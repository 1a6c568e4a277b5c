"""The harness: runs and measures one trial. Baked into every image, and nothing else is."""
