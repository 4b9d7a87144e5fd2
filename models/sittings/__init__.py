"""At-home sittings: the table that decides, and the tables that keep what it decided (H1-H11)."""
