"""One question about each of many rows: of a frame, a list or a stream."""
