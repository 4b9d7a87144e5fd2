// The audits of graphql-http: every MUST, SHOULD and MAY of the specification "GraphQL over HTTP".

import assert from 'node:assert/strict';
import test from 'node:test';
import { serverAudits } from 'graphql-http';
import { endpoint } from './service.js';

for (const audit of serverAudits({ url: endpoint, fetchFn: fetch })) {
  test(audit.name, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', result.reason);
  });
}
