// Every rendered entity is taken by Backstage's own validators and catalog, from both routes, with relations in
// both directions.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const {
  componentEntityV1alpha1Validator,
  DefaultNamespaceEntityPolicy,
  EntityPolicies,
  FieldFormatEntityPolicy,
  locationEntityV1alpha1Validator,
  NoForeignRootFieldsEntityPolicy,
  parseEntityRef,
  resourceEntityV1alpha1Validator,
  SchemaValidEntityPolicy,
  stringifyEntityRef,
  systemEntityV1alpha1Validator,
} = require('@backstage/catalog-model');
const { settled, start } = require('./backend');
const rendered = require('./rendered');

/** References of an entity in its own fields, as [relation, reverse, target]. */
function references({ spec }) {
  const ref = (text, defaultKind) => stringifyEntityRef(parseEntityRef(text, { defaultKind, defaultNamespace: 'default' }));
  const all = [];
  if (spec.owner) all.push(['ownedBy', 'ownerOf', ref(spec.owner, 'Group')]);
  if (spec.system) all.push(['partOf', 'hasPart', ref(spec.system, 'System')]);
  for (const target of spec.dependsOn ?? []) all.push(['dependsOn', 'dependencyOf', ref(target)]);
  for (const target of spec.dependencyOf ?? spec.dependents ?? []) all.push(['dependencyOf', 'dependsOn', ref(target)]);
  return all;
}

/** Checks what a catalog has after it took `given`. */
async function taken(backend, given) {
  const refs = new Set(given.map(stringifyEntityRef));
  assert.equal(refs.size, given.length, 'two entities share a reference');
  const wanted = given.map(entity => ({
    ref: stringifyEntityRef(entity),
    relations: new Set(references(entity).map(([relation, , target]) => `${relation} ${target}`)).size,
  }));
  const entities = await settled(backend, wanted);
  assert.deepEqual(backend.complaints, []);
  const there = new Map(entities.map(entity => [stringifyEntityRef(entity), entity]));
  const related = (from, relation, to) =>
    (there.get(from)?.relations ?? []).some(entry => entry.type === relation && entry.targetRef === to);
  let edges = 0;
  for (const entity of given) {
    const ref = stringifyEntityRef(entity);
    const found = there.get(ref);
    assert.ok(found, `${ref} was not ingested`);
    assert.deepEqual(found.spec, entity.spec, `${ref} came out changed`);
    assert.equal(found.metadata.annotations['backstage.io/orphan'], undefined, `${ref} is an orphan`);
    assert.equal(found.status?.items?.length ?? 0, 0, `${ref}: ${JSON.stringify(found.status)}`);
    for (const [relation, reverse, target] of references(entity)) {
      assert.ok(refs.has(target), `${ref} ${relation} ${target}, which is not there`);
      assert.ok(related(ref, relation, target), `${ref} lacks ${relation} ${target}`);
      assert.ok(related(target, reverse, ref), `${target} lacks ${reverse} ${ref}`);
      edges += 1;
    }
  }
  return edges;
}

test('each entity passes the validators of catalog-model', async () => {
  const policy = EntityPolicies.allOf([
    new SchemaValidEntityPolicy(),
    new DefaultNamespaceEntityPolicy(),
    new NoForeignRootFieldsEntityPolicy(),
    new FieldFormatEntityPolicy(),
  ]);
  const validators = {
    Component: componentEntityV1alpha1Validator,
    Location: locationEntityV1alpha1Validator,
    Resource: resourceEntityV1alpha1Validator,
    System: systemEntityV1alpha1Validator,
  };
  const all = rendered.files('catalog').flatMap(rendered.read);
  assert.ok(all.length > 10);
  for (const entity of all) {
    assert.ok(await policy.enforce(entity), stringifyEntityRef(entity));
    if (validators[entity.kind]) assert.ok(await validators[entity.kind].check(entity), stringifyEntityRef(entity));
    for (const value of Object.values(entity.metadata.annotations ?? {})) assert.equal(typeof value, 'string');
    const location = entity.metadata.annotations?.['backstage.io/source-location'];
    assert.ok(location === undefined || location.startsWith('url:https://'), location);
  }
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
  const located = (entity, place) => {
    const annotations = { 'backstage.io/managed-by-location': place, 'backstage.io/managed-by-origin-location': place };
    return { entity: { ...entity, metadata: { ...entity.metadata, annotations: { ...entity.metadata.annotations, ...annotations } } }, locationKey: place };
  };
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
