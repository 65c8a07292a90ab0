// Entities of many generated config repositories: `GENERATED` names a file with a list of trees, each a map from path to
// text. All pass the validators; one in ten goes into one catalog, each tree in a namespace of its own, because a catalog
// takes minutes over all of them. `PLIMSOLL_LONG=1` gives it all.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { start } = require('./backend');
const { located, taken, valid } = require('./entities');
const { documents } = require('./rendered');

const trees = JSON.parse(fs.readFileSync(process.env.GENERATED, 'utf8'));

/** Entities of a tree, from its catalog or its ConfigMaps. */
const entities = (tree, part) =>
  Object.entries(tree)
    .filter(([path]) => path.startsWith(`rendered/backstage/${part}/`))
    .flatMap(([, text]) => documents(text));

/** An entity moved into a namespace, with what it refers to. Owners stay where they are. */
function moved(entity, namespace) {
  const ref = text => text.replace(':default/', `:${namespace}/`);
  const spec = { ...entity.spec };
  for (const key of ['dependsOn', 'dependencyOf', 'dependents']) if (spec[key]) spec[key] = spec[key].map(ref);
  if (spec.system) spec.system = `system:${namespace}/${spec.system}`;
  return { ...entity, metadata: { ...entity.metadata, namespace }, spec };
}

test('every generated entity passes the validators of catalog-model, from tree and ConfigMap alike', async () => {
  let count = 0;
  for (const tree of trees) {
    const all = entities(tree, 'catalog');
    await valid(all);
    const own = all.filter(entity => entity.kind !== 'Location');
    const carried = entities(tree, 'configmaps').flatMap(map => documents(map.data.catalog));
    const sorted = list => list.map(entity => JSON.stringify(entity)).sort();
    assert.deepEqual(sorted(carried), sorted(own));
    count += own.length;
  }
  assert.ok(count > 10 * trees.length, `${count} entities`);
});

test('one catalog takes generated trees, with relations in both directions', async () => {
  const step = process.env.PLIMSOLL_LONG ? 1 : 10;
  const some = trees.filter((_, number) => number % step === 0);
  const given = some.flatMap((tree, number) =>
    entities(tree, 'catalog')
      .filter(entity => entity.kind !== 'Location')
      .map(entity => moved(entity, `tree-${number}`)),
  );
  const owners = new Set(given.map(entity => entity.spec.owner));
  for (const owner of owners) {
    const [, name] = owner.match(/^group:default[/](.+)$/);
    given.push({ apiVersion: 'backstage.io/v1alpha1', kind: 'Group', metadata: { namespace: 'default', name }, spec: { type: 'team', children: [] } });
  }
  const backend = await start({
    provider: {
      getProviderName: () => 'generated',
      connect: connection =>
        connection.applyMutation({
          type: 'full',
          entities: given.map((entity, number) => located(entity, `url:https://generated.test/${number}`)),
        }),
    },
  });
  try {
    const edges = await taken(backend, given);
    assert.ok(edges > 20 * some.length, `${edges} edges`);
  } finally {
    await backend.stop();
  }
});
