"""The door: GraphQL over HTTP, server-sent events and WebSocket, and who comes in by it."""
