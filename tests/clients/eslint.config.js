// All of graphql-eslint's rules for schemas that it recommends, and those for Relay.

import { readFileSync } from 'node:fs';
import graphql from '@graphql-eslint/eslint-plugin';

const text = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
const { rules: recommended } = graphql.configs['flat/schema-recommended'];
const { rules: relay } = graphql.configs['flat/schema-relay'];
const [error, naming] = recommended['@graphql-eslint/naming-convention'];
const [, descriptions] = recommended['@graphql-eslint/require-description'];

export default [
  {
    files: ['**/*.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: {
        graphQLConfig: { schema: [text('../../schema.graphql'), text('federation/definitions.graphql')].join('\n') },
      },
    },
    rules: {
      ...recommended,
      ...relay,
      // The specification of federation gives `_entities`, `_service` and their types these names, and no words.
      '@graphql-eslint/naming-convention': [
        error,
        {
          ...naming,
          allowLeadingUnderscore: true, // camelCase and PascalCase refuse it too, but for these
          types: { style: 'PascalCase', ignorePattern: '^_(Any|Entity|Service)$' },
          FieldDefinition: { style: 'camelCase', ignorePattern: '^_(entities|service)$' },
        },
      ],
      '@graphql-eslint/require-description': [
        error,
        { ...descriptions, ignoredSelectors: ['[name.value=/^_(Any|Entity|Service|entities|service)$/]'] },
      ],
      // Entities have ids; payloads, refusals, scores and pages are values and have none.
      '@graphql-eslint/strict-id-in-types': 'off',
      // Pages go forward only, newest first.
      '@graphql-eslint/relay-arguments': [error, { includeBoth: false }],
      // Lists that cannot grow (the scores of a result, the faults of a form) are plain lists. What is only told of
      // (that a share was withdrawn, that a result was read) cannot be fetched again, and is no Node.
      '@graphql-eslint/relay-edge-types': [error, { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
    },
  },
];
