"""Vocabulary shared by all processes: ids, messages, errors, settings, clock, tokens, database, directory."""
