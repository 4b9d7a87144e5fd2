"""At-home sittings as clients see them: the type, its parts, its events, and what can be ordered by whom."""
