"""How fast textdiff is, question by question, each figure beside its rival or its limit."""
