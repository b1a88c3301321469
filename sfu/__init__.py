"""Media plane: producers, consumers, routing, the worker's internal API."""
