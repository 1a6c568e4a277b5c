"""Images on their way to others and back: push, pull by digest, one file, and whether they may be passed on."""
