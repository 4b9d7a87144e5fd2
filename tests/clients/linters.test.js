// What two linters say of schema.graphql; which rules they leave out, and why, stands in their configurations.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const schema = fileURLToPath(new URL('../../schema.graphql', import.meta.url));

/** All that a linter says. */
function said(program, ...options) {
  return new Promise((resolve) => {
    const command = [`${here}node_modules/${program}`, ...options];
    execFile(process.execPath, command, { cwd: fileURLToPath(new URL('../..', import.meta.url)) }, (failed, out, err) =>
      resolve(`${out}${err}${failed?.code ?? ''}`.trim()),
    );
  });
}

test('graphql-schema-linter has nothing to say', async () => {
  const definitions = `${here}federation/definitions.graphql`;
  const linter = 'graphql-schema-linter/lib/cli.js';
  assert.equal(await said(linter, '--config-directory', here, '--format', 'compact', schema, definitions), '');
});

test('graphql-eslint has nothing to say', async () => {
  assert.equal(await said('eslint/bin/eslint.js', '--config', `${here}eslint.config.js`, schema), '');
});
