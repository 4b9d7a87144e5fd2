// A gateway in front of the subgraphs `name=address` that it is given: composes what they tell of themselves, listens
// on any free port, and says where.

import { createServer } from 'node:http';
import { composeServices } from '@apollo/composition';
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime';
import { parse } from 'graphql';

async function told([name, url]) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  });
  const { data } = await response.json();
  return { name, url, typeDefs: parse(data._service.sdl) };
}

const subgraphs = process.argv.slice(2).map((subgraph) => subgraph.split(/=(.*)/s));
const { errors, supergraphSdl } = composeServices(await Promise.all(subgraphs.map(told)));
if (errors) throw new Error(errors.join('\n'));

const gateway = createGatewayRuntime({
  supergraph: supergraphSdl,
  logging: false,
  propagateHeaders: {
    fromClientToSubgraphs: ({ request }) => ({ authorization: request.headers.get('authorization') }),
  },
});
const server = createServer(gateway);
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
