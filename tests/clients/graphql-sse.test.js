import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-sse';
import { SEND, bearer, candidate, endpoint, nextToSend, sendNext, verifier } from './service.js';
import { NEW_SHARES, line, now, queue } from './streams.js';

function connected(token, options = {}) {
  return createClient({ url: endpoint, headers: bearer(token), ...options });
}

function subscribed(client, payload) {
  const arrived = queue();
  const sink = { next: arrived.put, error: arrived.fail, complete: () => arrived.put('complete') };
  return { ...arrived, end: client.subscribe(payload, sink) };
}

test('shares arrive as they are sent', async () => {
  const stream = subscribed(connected(verifier), { query: NEW_SHARES, variables: { after: await now() } });
  for (let count = 0; count < 2; count++) {
    const share = await sendNext();
    const { data, errors } = await stream.take();
    assert.equal(errors, undefined);
    assert.equal(data.newShares.share.id, share);
  }
  stream.end();
});

test('a query is one result and the end', async () => {
  const stream = subscribed(connected(candidate), { query: '{ me { name } }' });
  const { data, errors } = await stream.take();
  assert.equal(errors, undefined);
  assert.match(data.me.name, /Tanaka/);
  assert.equal(await stream.take(), 'complete');
});

test('a mutation is one result and the end', async () => {
  const stream = subscribed(connected(candidate), { query: SEND, variables: { input: nextToSend() } });
  assert.equal((await stream.take()).data.sendResult.__typename, 'ResultSent');
  assert.equal(await stream.take(), 'complete');
});

test('an async iterator ends when it is left', async () => {
  const after = await now();
  const share = await sendNext();
  for await (const { data } of connected(verifier).iterate({ query: NEW_SHARES, variables: { after } })) {
    assert.equal(data.newShares.share.id, share);
    break;
  }
});

test('a subscriber that keeps its cursor misses nothing and sees nothing twice when the line is cut', async () => {
  const wire = await line();
  const variables = { after: await now() };
  const stream = subscribed(connected(verifier, { url: wire.address }), { query: NEW_SHARES, variables });
  const seen = [];
  const take = async () => {
    const { newShares } = (await stream.take()).data;
    variables.after = newShares.cursor; // the client reads its variables again when it comes back
    seen.push(newShares.share.id);
  };
  const sent = [await sendNext()];
  await take();
  wire.cut();
  sent.push(await sendNext(), await sendNext());
  await take();
  await take();
  assert.deepEqual(seen, sent);
  wire.close();
});

for (const [what, query, code] of [
  ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
  ['an unknown field', 'subscription { noSuchField }', 'GRAPHQL_VALIDATION_FAILED'],
]) {
  test(`${what} is told with a code and not tried again`, async () => {
    const answers = [];
    const fetchFn = async (...request) => (answers.push(await fetch(...request)), answers.at(-1).clone());
    const stream = subscribed(connected(verifier, { fetchFn }), { query });
    const told = await stream.take().then(({ errors }) => errors, () => answers[0].json().then(({ errors }) => errors));
    assert.equal(told[0].extensions.code, code);
    assert.equal(answers.length, 1);
  });
}

test('a candidate is told that the stream is for verifiers', async () => {
  const stream = subscribed(connected(candidate), { query: NEW_SHARES });
  const { errors } = await stream.take();
  assert.equal(errors[0].extensions.code, 'FORBIDDEN');
});
