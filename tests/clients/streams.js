// What a test does with a stream: take one thing after another, and not wait for ever.

import { createServer, connect } from 'node:net';
import { ask, endpoint, verifier } from './service.js';

export const NEW_SHARES = 'subscription NewShares($after: String) { newShares(after: $after) { cursor share { id } } }';

const SECONDS = 30;

/** A place in the live stream: whatever comes after this moment comes after it. */
export async function now() {
  return (await ask('{ inbox(first: 1) { liveCursor } }', {}, verifier)).inbox.liveCursor;
}

/** A queue between callbacks and a test: `put` is for the client, `fail` for its errors, `take` for the test. */
export function queue() {
  const things = [];
  let wake = () => {};
  const add = (thing) => (things.push(thing), wake());
  return {
    put: (value) => add({ value }),
    fail: (error) => add({ error }),
    async take(seconds = SECONDS) {
      if (!things.length) {
        await new Promise((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error(`nothing came for ${seconds} seconds`)), seconds * 1000);
          wake = () => (clearTimeout(timer), resolve());
        });
      }
      const { value, error } = things.shift();
      if (error) throw error;
      return value;
    },
  };
}

/** The service behind a line that can be cut, as a network does: `address`, `cut()` and `close()`. */
export async function line() {
  const { hostname, port } = new URL(endpoint);
  const ends = new Set();
  const server = createServer((near) => {
    const far = connect(port, hostname);
    for (const [end, other] of [[near, far], [far, near]]) {
      ends.add(end);
      end.on('error', () => other.destroy()).on('close', () => (ends.delete(end), other.destroy()));
      end.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => ends.forEach((end) => end.destroy());
  return {
    address: `http://127.0.0.1:${server.address().port}/graphql`,
    cut,
    close: () => (cut(), server.close()),
  };
}
