import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import { SEND, bearer, candidate, endpoint, firstResult, nextToSend, sendNext, socket, verifier } from './service.js';
import { NEW_SHARES, now, queue } from './streams.js';

const sockets = createClient({ url: socket, connectionParams: bearer(verifier) });

const http = (token, options = {}) => new HttpLink({ uri: endpoint, headers: bearer(token), ...options });
const apollo = (link) => new ApolloClient({ link, cache: new InMemoryCache() });

const RESULTS = gql`{ me { id name results { id headline skillScores { skill score } } } }`;

test('a query answers, and its objects are in the cache by their ids', async () => {
  const client = apollo(http(candidate));
  const { data, error } = await client.query({ query: RESULTS });
  assert.equal(error, undefined);
  assert.ok(data.me.results.some(({ headline }) => headline === 'Council of Europe Level B2'));
  const fragment = gql`fragment Headline on Result { headline }`;
  assert.ok(client.readFragment({ id: `Result:${firstResult}`, fragment }).headline);
});

test('a query answers by GET (useGETForQueries)', async () => {
  const { data } = await apollo(http(candidate, { useGETForQueries: true })).query({ query: RESULTS });
  assert.ok(data.me.results.length > 0);
});

test('a mutation answers', async () => {
  const { data } = await apollo(http(candidate)).mutate({ mutation: gql(SEND), variables: { input: nextToSend() } });
  assert.equal(data.sendResult.__typename, 'ResultSent');
});

test('a wrong document is an error with its code', async () => {
  await assert.rejects(apollo(http(candidate)).query({ query: gql`{ me { noSuchField } }` }), (error) => {
    assert.ok(CombinedGraphQLErrors.is(error), error);
    return error.errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED';
  });
});

for (const useGETForHashedQueries of [false, true]) {
  const method = useGETForHashedQueries ? 'GET' : 'POST';
  test(`the persisted-query link falls back to whole documents when hashes go by ${method}`, async () => {
    const requests = [];
    const counted = (address, options) => (requests.push(options.method), fetch(address, options));
    const sha256 = (text) => createHash('sha256').update(text).digest('hex');
    const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries });
    const client = apollo(persisted.concat(http(candidate, { fetch: counted })));
    const { data } = await client.query({ query: RESULTS });
    assert.ok(data.me.results.length > 0);
    await client.query({ query: gql`{ viewer { kind } }` });
    assert.equal(requests.length, 4, `one try with a hash, one with the document, for each: ${requests}`);
  });
}

test('a subscription runs over multipart HTTP', () => follow(apollo(http(verifier))));

test('a subscription runs over graphql-ws', () => follow(apollo(new GraphQLWsLink(sockets))));

async function follow(client) {
  const arrived = queue();
  const subscription = client.subscribe({ query: gql(NEW_SHARES), variables: { after: await now() } });
  subscription.subscribe({ next: arrived.put, error: arrived.fail });
  for (let count = 0; count < 2; count++) {
    const share = await sendNext();
    const { data, error } = await arrived.take();
    assert.equal(error, undefined);
    assert.equal(data.newShares.share.id, share);
  }
  // Left open: to unsubscribe from multipart HTTP, Apollo Client 4.3 aborts a read and does not catch what that throws.
}

for (const [over, link] of [['multipart HTTP', http(verifier)], ['graphql-ws', new GraphQLWsLink(sockets)]]) {
  for (const [what, query, code] of [
    ['an unknown field', 'subscription { noSuchField }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a wrong cursor', 'subscription { newShares(after: "none") { cursor } }', 'BAD_USER_INPUT'],
  ]) {
    test(`a subscription over ${over} with ${what} is an error with its code`, async () => {
      const arrived = queue();
      apollo(link).subscribe({ query: gql(query) }).subscribe({ next: arrived.put, error: arrived.fail });
      const error = await arrived.take().then((result) => result.error, (thrown) => thrown);
      assert.equal(error?.errors?.[0].extensions.code, code, error);
    });
  }
}
