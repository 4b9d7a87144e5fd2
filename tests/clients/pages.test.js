// What the service's own pages ask with, run as browsers run it: documents by their hash, and their text if need be.
import assert from 'node:assert/strict';
import test from 'node:test';
import { endpoint } from './service.js';

globalThis.document = { documentElement: { lang: 'en' } };
const { ask } = await import('../../transport/static/asking.js');

const bodies = [];
const really = globalThis.fetch;
globalThis.fetch = (address, options) => {
  assert.equal(address, '/graphql');
  bodies.push(JSON.parse(options.body));
  return really(endpoint, options);
};

test('a document of a page is asked for by its hash alone', async () => {
  const { exams } = await ask('{ exams { code title } }');
  assert.ok(exams.length > 0);
  assert.deepEqual(bodies.splice(0).map((body) => Object.keys(body)), [['documentId']]);
});

test('a document that the service does not know is sent whole', async () => {
  assert.deepEqual(await ask('query ($code: String!) { exam(code: $code) { code } }', { code: 'C1_ADVANCED' }), {
    exam: { code: 'C1_ADVANCED' },
  });
  assert.deepEqual(bodies.splice(0).map((body) => Object.keys(body)), [['documentId', 'variables'], ['query', 'variables']]);
});
