// What an entity says of others, and what a catalog must have of it once it took it.
'use strict';

const assert = require('node:assert/strict');
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
const { settled } = require('./backend');

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

/** Checks each entity with the validators of catalog-model. */
async function valid(entities) {
  for (const entity of entities) {
    assert.ok(await policy.enforce(entity), stringifyEntityRef(entity));
    if (validators[entity.kind]) assert.ok(await validators[entity.kind].check(entity), stringifyEntityRef(entity));
    for (const value of Object.values(entity.metadata.annotations ?? {})) assert.equal(typeof value, 'string');
    const location = entity.metadata.annotations?.['backstage.io/source-location'];
    assert.ok(location === undefined || location.startsWith('url:https://'), location);
  }
}

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

/** An entity for a provider: a location of its own. */
function located(entity, place) {
  const annotations = { 'backstage.io/managed-by-location': place, 'backstage.io/managed-by-origin-location': place };
  return { entity: { ...entity, metadata: { ...entity.metadata, annotations: { ...entity.metadata.annotations, ...annotations } } }, locationKey: place };
}

module.exports = { located, taken, valid };
