import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-ws';
import { bearer, candidate, sendNext, socket, verifier } from './service.js';
import { NEW_SHARES, line, now, queue } from './streams.js';

function connected(options = {}) {
  return createClient({ url: socket, connectionParams: bearer(verifier), ...options });
}

function subscribed(client, payload) {
  const arrived = queue();
  const sink = { next: arrived.put, error: arrived.fail, complete: () => arrived.put('complete') };
  return { ...arrived, end: client.subscribe(payload, sink) };
}

test('shares arrive as they are sent', async () => {
  const stream = subscribed(connected(), { query: NEW_SHARES, variables: { after: await now() } });
  for (let count = 0; count < 2; count++) {
    const share = await sendNext();
    const { data, errors } = await stream.take();
    assert.equal(errors, undefined);
    assert.equal(data.newShares.share.id, share);
  }
  stream.end();
});

test('an async iterator ends when it is left', async () => {
  const after = await now();
  const share = await sendNext();
  for await (const { data } of connected().iterate({ query: NEW_SHARES, variables: { after } })) {
    assert.equal(data.newShares.share.id, share);
    break;
  }
});

test('a subscriber that keeps its cursor misses nothing and sees nothing twice when the line is cut', async () => {
  const wire = await line();
  const variables = { after: await now() };
  const client = connected({ url: wire.address.replace('http', 'ws') });
  const stream = subscribed(client, { query: NEW_SHARES, variables });
  const seen = [];
  const take = async () => {
    const { newShares } = (await stream.take()).data;
    variables.after = newShares.cursor; // the client reads its variables again when it comes back
    seen.push(newShares.share.id);
  };
  const sent = [await sendNext()];
  await take();
  const back = new Promise((resolve) => client.on('connected', (_socket, _payload, retry) => retry && resolve()));
  wire.cut();
  sent.push(await sendNext());
  await back;
  sent.push(await sendNext());
  await take();
  await take();
  assert.deepEqual(seen, sent);
  wire.close();
});

test('a token that nobody has is refused, and the next try with a right one comes in', async () => {
  const tokens = ['nobody', verifier];
  const client = connected({ connectionParams: () => bearer(tokens.shift()) });
  const codes = [];
  client.on('closed', ({ code }) => codes.push(code));
  const stream = subscribed(client, { query: NEW_SHARES, variables: { after: await now() } });
  const share = await sendNext();
  assert.equal((await stream.take()).data.newShares.share.id, share);
  assert.deepEqual(codes, [4403]);
});

test('without a token the connection stands and the subscription is refused with a code', async () => {
  const stream = subscribed(connected({ connectionParams: undefined }), { query: NEW_SHARES });
  const refused = await stream.take().then(({ errors }) => errors, (errors) => errors);
  assert.equal(refused[0].extensions.code, 'UNAUTHENTICATED');
});

for (const [what, query, code] of [
  ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
  ['an unknown field', 'subscription { noSuchField }', 'GRAPHQL_VALIDATION_FAILED'],
  ['a query', '{ viewer { kind } }', 'BAD_REQUEST'],
]) {
  test(`${what} ends that operation alone, with a code`, async () => {
    const client = connected({ lazy: false });
    let closed = false;
    client.on('closed', () => (closed = true));
    const other = subscribed(client, { query: NEW_SHARES, variables: { after: await now() } });
    const stream = subscribed(client, { query });
    await assert.rejects(stream.take(), (errors) => errors[0].extensions.code === code);
    const share = await sendNext();
    assert.equal((await other.take()).data.newShares.share.id, share);
    assert.equal(closed, false);
  });
}

test('the keep-alive of the client is answered', async () => {
  const client = connected({ keepAlive: 20, lazy: false });
  await new Promise((resolve) => client.on('pong', (received) => received && resolve()));
});

test('a candidate is told that the stream is for verifiers', async () => {
  const stream = subscribed(connected({ connectionParams: bearer(candidate) }), { query: NEW_SHARES });
  const refused = await stream.take().then(({ errors }) => errors, (errors) => errors);
  assert.equal(refused[0].extensions.code, 'FORBIDDEN');
});
