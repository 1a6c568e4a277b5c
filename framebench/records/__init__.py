"""What is kept of a measurement: its keys, where it came from, the documents, and the store that holds them."""
