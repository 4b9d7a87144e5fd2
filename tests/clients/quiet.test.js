// A dashboard where nothing happens for a while: what the service sends to keep a line open must not disturb a client.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { createClient as overSSE } from 'graphql-sse';
import { createClient as overWebSocket } from 'graphql-ws';
import { bearer, endpoint, sendNext, socket, verifier } from './service.js';
import { NEW_SHARES, now, queue } from './streams.js';

const HEARTBEAT_SECONDS = 12;

test('streams over every transport outlast quiet times', async () => {
  const variables = { after: await now() };
  const headers = bearer(verifier);
  const operation = { query: NEW_SHARES, variables };
  const streams = {
    apollo: (sink) => {
      const client = new ApolloClient({ link: new HttpLink({ uri: endpoint, headers }), cache: new InMemoryCache() });
      client.subscribe({ query: gql(NEW_SHARES), variables }).subscribe(sink);
    },
    urql: ({ next }) => {
      const exchanges = [fetchExchange];
      const client = new Client({ url: endpoint, exchanges, fetchSubscriptions: true, fetchOptions: { headers } });
      client.subscription(NEW_SHARES, variables).subscribe(next);
    },
    'graphql-sse': (sink) => overSSE({ url: endpoint, headers, retryAttempts: 0 }).subscribe(operation, sink),
    'graphql-ws': (sink) =>
      overWebSocket({ url: socket, connectionParams: headers, retryAttempts: 0 }).subscribe(operation, sink),
  };
  const open = Object.entries(streams).map(([name, subscribe]) => {
    const arrived = queue();
    subscribe({ next: arrived.put, error: arrived.fail, complete: () => arrived.fail(new Error('ended')) });
    return [name, arrived];
  });
  await sleep((HEARTBEAT_SECONDS + 1) * 1000);
  const share = await sendNext();
  for (const [name, arrived] of open) {
    const { data, error } = await arrived.take();
    assert.equal(error, undefined, name);
    assert.equal(data.newShares.share.id, share, name);
  }
});
