// Two composers put this subgraph and one of somebody else together.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { composeServices as composedByApollo } from '@apollo/composition';
import { composeServices as composedByTheGuild } from '@theguild/federation-composition';
import { buildSchema, parse } from 'graphql';
import { ask } from './service.js';

const text = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const admissions = text('federation/admissions.graphql');
const sources = {
  'schema.graphql': text('../../schema.graphql'),
  'what the door tells gateways': (await ask('{ _service { sdl } }'))._service.sdl,
};

for (const [composer, compose] of Object.entries({ Apollo: composedByApollo, TheGuild: composedByTheGuild })) {
  for (const [source, schema] of Object.entries(sources)) {
    test(`${composer}'s composer takes ${source} beside another Relay subgraph`, () => {
      const { errors, supergraphSdl } = compose([
        { name: 'seiseki', url: 'http://seiseki.example/graphql', typeDefs: parse(schema) },
        { name: 'admissions', url: 'http://admissions.example/graphql', typeDefs: parse(admissions) },
      ]);
      assert.equal(errors?.join('\n'), undefined);
      const supergraph = buildSchema(supergraphSdl, { assumeValidSDL: true });
      for (const [type, fields] of [['Candidate', ['name', 'applications']], ['Result', ['headline', 'isEnoughFor']]]) {
        for (const field of fields) assert.ok(supergraph.getType(type).getFields()[field], `${type}.${field}`);
      }
    });
  }
}
