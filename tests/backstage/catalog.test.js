// Every rendered entity is taken by Backstage's own validators and catalog, from both routes, with relations in
// both directions.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { stringifyEntityRef } = require('@backstage/catalog-model');
const { start } = require('./backend');
const { located, taken, valid } = require('./entities');
const rendered = require('./rendered');

test('each entity passes the validators of catalog-model', async () => {
  const all = rendered.files('catalog').flatMap(rendered.read);
  assert.ok(all.length > 10);
  await valid(all);
});

test('the plain tree is read through its Locations', async () => {
  const files = ['catalog/standard.yaml', 'catalog/custom.yaml'].map(file => path.join(rendered.root, file));
  const backend = await start({ locations: [...files, rendered.org] });
  try {
    const edges = await taken(backend, [...rendered.tree(), ...rendered.organisation()]);
    assert.ok(edges > 10, `${edges} edges`);
  } finally {
    await backend.stop();
  }
});

test('a stock catalog reads the standard kinds as the example configures it', async () => {
  const [config] = rendered.read(rendered.config);
  const here = target => target.replace(/^[/]plimsoll[/]rendered/, path.dirname(rendered.root)).replace(/^[/]plimsoll[/]org.yaml$/, rendered.org);
  config.catalog.locations = config.catalog.locations.map(location => ({ ...location, target: here(location.target) }));
  const backend = await start({ catalog: config.catalog });
  try {
    const standard = rendered.tree().filter(entity => !['ManagedImage', 'BaseImage'].includes(entity.kind));
    await taken(backend, [...standard, ...rendered.organisation()]);
    const { json } = await backend.call('/catalog/entities?filter=kind=template');
    assert.deepEqual(json.map(entity => entity.metadata.name), ['enrol-image']);
  } finally {
    await backend.stop();
  }
});

test('the ConfigMaps hold the same entities, for a provider', async () => {
  const entities = rendered.configMaps().flatMap(map => {
    assert.equal(map.metadata.labels['eda.io/backstage-catalog'], 'true');
    assert.deepEqual(Object.keys(map.data), ['catalog']);
    return rendered.documents(map.data.catalog).map(entity => [map, entity]);
  });
  const byRef = list => new Map(list.map(entity => [stringifyEntityRef(entity), entity]));
  assert.deepEqual(byRef(entities.map(([, entity]) => entity)), byRef(rendered.tree()));

  // As a provider for ConfigMaps does it: a location of its own for each.
  const backend = await start({
    provider: {
      getProviderName: () => 'config-maps',
      connect: connection =>
        connection.applyMutation({
          type: 'full',
          entities: [
            ...entities.map(([map, entity]) => located(entity, `url:https://kubernetes.test/${map.metadata.namespace}/${map.metadata.name}`)),
            ...rendered.organisation().map(entity => located(entity, 'url:https://kubernetes.test/org')),
          ],
        }),
    },
  });
  try {
    await taken(backend, [...entities.map(([, entity]) => entity), ...rendered.organisation()]);
  } finally {
    await backend.stop();
  }
});
