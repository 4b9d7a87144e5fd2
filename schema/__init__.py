"""The GraphQL schema. `schema.build` puts it together."""
