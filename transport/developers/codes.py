"""What clients do about the codes of errors."""

CODES = {
    "BAD_REQUEST": "The request is not written as GraphQL over HTTP, or over WebSocket, has it. Mend the program.",
    "GRAPHQL_PARSE_FAILED": "The document is no GraphQL. Mend the program.",
    "GRAPHQL_VALIDATION_FAILED": "The document does not fit the schema. Mend the program.",
    "OPERATION_RESOLUTION_FAILURE": "The document has several operations, or none, and `operationName` names none.",
    "BAD_USER_INPUT": "An argument or a variable is wrong; of several faults, `problems { path message }` has all.",
    "OPERATION_TOO_LARGE": "Too deep, too long, or too dear: ask for less at one time.",
    "ALLOWANCE_USED_UP": "The points of this minute are spent, nothing was run: try again at `resetsAt`.",
    "UNAUTHENTICATED": "There is no credential, or it has ended; a stream ends with it when its session or key ends.",
    "FORBIDDEN": "The credential is of a kind, or of a scope, that may not ask this.",
    "TOO_MANY_TRIES": "A limit of tries was reached: try again at `retryAfter`.",
    "TOO_MANY_OPERATIONS": "So many operations of one account run at this moment: wait for some to end.",
    "TOO_MANY_STREAMS": "So many subscriptions of one account are open: end some.",
    "TOO_MANY_CONNECTIONS": "So many connections of one address are open: use one for many operations.",
    "RESUME": "The stream was slower than what it had to tell: subscribe again, with `cursor` as `after`.",
    "INTROSPECTION_DISABLED": "The schema is not open here: take it from `/developers/schema.graphql`, with your key.",
    "PERSISTED_QUERY_NOT_FOUND": "No document is known by this hash: send the document.",
    "PERSISTED_QUERY_NOT_SUPPORTED": "No document is known by its hash here: send the document.",
    "PERSISTED_QUERY_NOT_IN_LIST": "No document is known by this hash; here yours is taken with a key only.",
    "QUERY_NOT_IN_SAFELIST": "Here strangers and browsers run known documents only. Send your own with a key.",
    "PERSISTED_QUERY_HASH_MISMATCH": "The hash is not that of the document. Mend the program.",
    "SERVICE_UNAVAILABLE": "Something that is needed is away for a moment: try again. Of a change, look first "
    "whether it was made.",
    "INTERNAL_SERVER_ERROR": "A fault of ours, which we have on record: tell us the `requestId`.",
}
