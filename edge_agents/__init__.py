"""The capture box: sources, encoders, publisher."""
