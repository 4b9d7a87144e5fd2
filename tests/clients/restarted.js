// Watches the inbox over WebSocket and over server-sent events while somebody restarts the service, and ends well when
// every share has come once. Says "watching" when the service may be restarted.

import assert from 'node:assert/strict';
import { createClient as overSSE } from 'graphql-sse';
import { createClient as overWebSocket } from 'graphql-ws';
import { bearer, endpoint, sendNext, socket, verifier } from './service.js';
import { NEW_SHARES, now, queue } from './streams.js';

const after = await now();
// Unless told otherwise, graphql-ws comes back when a line breaks, but gives up when nobody is there to answer.
const shouldRetry = () => true;
const watchers = [
  overWebSocket({ url: socket, connectionParams: bearer(verifier), shouldRetry }),
  overSSE({ url: endpoint, headers: bearer(verifier) }),
].map((client) => {
  const arrived = queue();
  const variables = { after };
  const next = ({ data, errors }) => {
    if (errors) return arrived.fail(errors);
    variables.after = data.newShares.cursor; // the client reads its variables again when it comes back
    arrived.put(data.newShares.share.id);
  };
  const complete = () => arrived.put('complete');
  client.subscribe({ query: NEW_SHARES, variables }, { next, error: arrived.fail, complete });
  return arrived;
});

const before = await sendNext();
for (const watcher of watchers) assert.equal(await watcher.take(), before);
process.stdout.write('watching\n');

const ready = () => fetch(endpoint.replace('graphql', 'readyz')).then(({ ok }) => ok, () => false);
const until = async (wanted) => {
  while ((await ready()) !== wanted) await new Promise((resolve) => setTimeout(resolve, 50));
};
await until(false);
await until(true);
const since = await sendNext();
for (const watcher of watchers) assert.equal(await watcher.take(30), since);
process.exit(0);
