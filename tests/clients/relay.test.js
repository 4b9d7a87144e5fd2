import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildClientSchema, getIntrospectionQuery, printSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import compiler from 'relay-compiler';
import relay from 'relay-runtime';
import { ask, bearer, candidate, endpoint, firstResult, sendNext, socket, verifier } from './service.js';
import { now, queue } from './streams.js';

const { Environment, Network, Observable, RecordSource, Store } = relay;
const { commitMutation, fetchQuery, requestSubscription } = relay;
const { createOperationDescriptor, getRequest, getSingularSelector } = relay;

const folder = mkdtempSync(join(tmpdir(), 'relay-'));
after(() => rmSync(folder, { recursive: true }));

const require = createRequire(import.meta.url);
const compiled = (name) => require(join(folder, 'compiled', `${name}.graphql.js`));

test('the compiler takes the schema as the door tells it, and a dashboard written for it', async () => {
  const schema = buildClientSchema(await ask(getIntrospectionQuery(), {}));
  writeFileSync(join(folder, 'schema.graphql'), printSchema(schema));
  cpSync(fileURLToPath(new URL('relay', import.meta.url)), join(folder, 'source'), { recursive: true });
  mkdirSync(join(folder, 'compiled'));
  const places = { src: 'source', schema: 'schema.graphql', artifactDirectory: 'compiled' };
  const config = { ...places, language: 'javascript', eagerEsModules: false }; // with imports Node would want `.js`
  writeFileSync(join(folder, 'relay.config.json'), JSON.stringify(config));
  execFileSync(compiler, ['relay.config.json'], { cwd: folder, stdio: 'pipe', encoding: 'utf8' });
});

/** Relay with a network of the few lines that every application writes for itself. */
function environment(token) {
  const sockets = createClient({ url: socket, connectionParams: bearer(token) });
  const fetched = async ({ text }, variables) => {
    const headers = { 'content-type': 'application/json', ...bearer(token) };
    const body = JSON.stringify({ query: text, variables });
    const response = await fetch(endpoint, { method: 'POST', headers, body });
    return response.json();
  };
  const followed = ({ text, name }, variables) =>
    Observable.create((sink) => sockets.subscribe({ query: text, operationName: name, variables }, sink));
  return new Environment({ network: Network.create(fetched, followed), store: new Store(new RecordSource()) });
}

const asked = (relay, query, variables) => fetchQuery(relay, compiled(query), variables).toPromise();

/** What the store holds of a query, and of the fragment spread at a place in it. */
function held(relay, query, variables, fragment, place = (data) => data) {
  const { fragment: selector } = createOperationDescriptor(getRequest(compiled(query)), variables);
  const { data } = relay.lookup(selector);
  return relay.lookup(getSingularSelector(compiled(fragment), place(data))).data;
}

test('pages of the inbox come one after another and make one list in the store', async () => {
  const shares = [await sendNext(), await sendNext(), await sendNext()].reverse();
  const relay = environment(verifier);
  await asked(relay, 'PagesInboxQuery', { count: 2 });
  const inbox = () => held(relay, 'PagesInboxQuery', { count: 2 }, 'PagesInbox').inbox;
  assert.deepEqual(ids(inbox()), shares.slice(0, 2));
  assert.equal(inbox().pageInfo.hasNextPage, true);
  await asked(relay, 'PagesInboxPaginationQuery', { count: 2, cursor: inbox().pageInfo.endCursor });
  assert.deepEqual(ids(inbox()), shares);
  assert.equal(inbox().pageInfo.hasNextPage, false);
});

const ids = ({ edges }) => edges.map(({ node }) => node.id);

test('pages of one object come by its id', async () => {
  const relay = environment(candidate);
  const variables = { id: firstResult, count: 1 };
  await asked(relay, 'PagesSharesQuery', variables);
  const shares = () => held(relay, 'PagesSharesQuery', variables, 'PagesShares', ({ node }) => node.PagesShares).shares;
  const first = ids(shares());
  assert.equal(first.length, 1);
  await asked(relay, 'PagesSharesPaginationQuery', { ...variables, cursor: shares().pageInfo.endCursor });
  assert.deepEqual(ids(shares()), first);
});

test('a mutation changes the objects in the store by their ids, and node(id:) fetches them again', async () => {
  const relay = environment(verifier);
  const id = await sendNext();
  const share = () => held(relay, 'PagesShareRefetchQuery', { id }, 'PagesShare', ({ node }) => node);
  await asked(relay, 'PagesShareRefetchQuery', { id });
  assert.equal(share().status, 'UNREAD');
  const { openShare } = await ordered(relay, 'PagesOpenMutation', { input: { shareId: id } });
  assert.equal(openShare.__typename, 'ShareOpened');
  assert.equal(share().status, 'READ');
  await asked(relay, 'PagesShareRefetchQuery', { id });
  assert.ok(share().openedAt);
});

function ordered(relay, mutation, variables) {
  return new Promise((resolve, reject) => {
    const onCompleted = (data, errors) => (errors ? reject(errors) : resolve(data));
    commitMutation(relay, { mutation: compiled(mutation), variables, onCompleted, onError: reject });
  });
}

test('an id that nobody has is null', async () => {
  const data = await asked(environment(verifier), 'PagesShareRefetchQuery', { id: 'nobody' });
  assert.equal(data.node, null);
});

test('a subscription brings shares as they are sent', async () => {
  const arrived = queue();
  const config = { subscription: compiled('PagesNewSharesSubscription'), variables: { after: await now() } };
  requestSubscription(environment(verifier), { ...config, onNext: arrived.put, onError: arrived.fail });
  for (let count = 0; count < 2; count++) {
    const share = await sendNext();
    assert.equal((await arrived.take()).newShares.share.id, share);
  }
});
