"""Archives a room as an ordinary subscriber."""
