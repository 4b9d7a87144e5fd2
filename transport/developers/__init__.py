"""The developers' pages (P4): made from the schema and from one example for each operation, never by hand."""
