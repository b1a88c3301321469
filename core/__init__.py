"""Vocabulary shared by all processes: ids, messages, errors, configuration, clock, tokens, database, directory."""
