import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { SEND, bearer, candidate, endpoint, nextToSend, sendNext, socket, verifier } from './service.js';
import { NEW_SHARES, now, queue } from './streams.js';

const sockets = createClient({ url: socket, connectionParams: bearer(verifier) });

const urql = (token, options = {}) =>
  new Client({
    url: endpoint,
    exchanges: [cacheExchange, fetchExchange],
    fetchOptions: { headers: bearer(token) },
    ...options,
  });

test('a query answers', async () => {
  const { data, error } = await urql(candidate).query('{ me { id name results { id headline } } }', {});
  assert.equal(error, undefined);
  assert.equal(data.me.results[0].headline, 'Council of Europe Level B2');
});

for (const preferGetMethod of [false, true, 'force', 'within-url-limit']) {
  test(`a query with variables answers with preferGetMethod: ${preferGetMethod}`, async () => {
    const client = urql(candidate, { preferGetMethod });
    const query = 'query Notices($language: String!) { me { results { notices(language: $language) { text } } } }';
    const { data, error } = await client.query(query, { language: 'ja' });
    assert.equal(error, undefined);
    assert.ok(data.me.results.length > 0);
  });
}

test('a mutation answers', async () => {
  const { data, error } = await urql(candidate).mutation(SEND, { input: nextToSend() });
  assert.equal(error, undefined);
  assert.equal(data.sendResult.__typename, 'ResultSent');
});

test('a wrong document is an error with its code', async () => {
  const { error } = await urql(candidate).query('{ me { noSuchField } }', {});
  assert.equal(error.graphQLErrors[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED', error);
});

test('a wrong variable is an error with its code', async () => {
  const query = 'query ($first: Int!) { inbox(first: $first) { totalCount } }';
  const { error } = await urql(verifier).query(query, { first: 'x' });
  assert.equal(error.graphQLErrors[0]?.extensions.code, 'BAD_USER_INPUT', error);
});

test('a subscription runs over server-sent events (fetchSubscriptions)', () =>
  follow(urql(verifier, { fetchSubscriptions: true })));

test('a subscription runs over graphql-ws (subscriptionExchange)', () => {
  const exchange = subscriptionExchange({
    forwardSubscription: (request) => ({
      subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink) }),
    }),
  });
  return follow(urql(verifier, { exchanges: [cacheExchange, fetchExchange, exchange] }));
});

async function follow(client) {
  const arrived = queue();
  const stream = client.subscription(NEW_SHARES, { after: await now() }).subscribe(arrived.put);
  for (let count = 0; count < 2; count++) {
    const share = await sendNext();
    const { data, error } = await arrived.take();
    assert.equal(error, undefined);
    assert.equal(data.newShares.share.id, share);
  }
  stream.unsubscribe();
}

test('a wrong subscription over server-sent events is an error with its code', async () => {
  const arrived = queue();
  urql(verifier, { fetchSubscriptions: true }).subscription('subscription { noSuchField }', {}).subscribe(arrived.put);
  const { error } = await arrived.take();
  assert.equal(error.graphQLErrors[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED', error);
});

test('a subscription that is refused later is an error with its code', async () => {
  const arrived = queue();
  const client = urql(verifier, { fetchSubscriptions: true });
  client.subscription(NEW_SHARES, { after: 'no cursor' }).subscribe(arrived.put);
  const { error } = await arrived.take();
  assert.equal(error.graphQLErrors[0]?.extensions.code, 'BAD_USER_INPUT', error);
});
