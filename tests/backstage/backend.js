// A catalog, and on request a scaffolder, as Backstage's own test backend starts them. It uses libsql in place of
// better-sqlite3, which has to be compiled; the interface is the same.
'use strict';

const { coreServices, createBackendModule, createServiceFactory } = require('@backstage/backend-plugin-api');
const { mockServices, startTestBackend } = require('@backstage/backend-test-utils');
const { createCatalogModelLayer, CatalogModelSources } = require('@backstage/catalog-model/alpha');
const { catalogProcessingExtensionPoint } = require('@backstage/plugin-catalog-node');
const { catalogModelExtensionPoint } = require('@backstage/plugin-catalog-node/alpha');

const KINDS = ['System', 'Component', 'Resource', 'Group', 'User', 'Location', 'Template', 'ManagedImage', 'BaseImage'];

/** What a package exports by default, however it was built. */
const feature = name => require(name).default ?? require(name);

/** The custom kinds as a catalog would be taught them: relations from `spec`, each with both directions. */
function imageKinds() {
  const field = (path, relation, defaultKind) => ({ selector: { path }, relation, defaultKind, defaultNamespace: 'inherit' });
  const kind = (name, singular, more) => ({
    group: 'backstage.io',
    names: { kind: name, singular, plural: `${singular}s` },
    description: `A ${singular}.`,
    versions: [
      {
        name: 'v1alpha1',
        schema: {
          jsonSchema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['type', 'lifecycle', 'owner', 'system'],
                properties: {
                  type: { type: 'string', minLength: 1 },
                  lifecycle: { type: 'string', minLength: 1 },
                  owner: { type: 'string', minLength: 1 },
                  system: { type: 'string', minLength: 1 },
                  dependsOn: { type: 'array', items: { type: 'string', minLength: 1 } },
                  dependents: { type: 'array', items: { type: 'string', minLength: 1 } },
                },
              },
            },
          },
        },
        relationFields: [field('spec.owner', 'ownedBy', 'Group'), field('spec.system', 'partOf', 'System'), ...more],
      },
    ],
  });
  const images = ['ManagedImage', 'BaseImage'];
  const pair = (fromKind, toKind, forward, reverse) => ({
    fromKind,
    toKind,
    description: `${forward} and ${reverse}`,
    forward: { type: forward, title: forward },
    reverse: { type: reverse, title: reverse },
  });
  return createCatalogModelLayer({
    layerId: 'plimsoll.test/image-kinds',
    builder: model => {
      model.addKind(kind('ManagedImage', 'managed image', [field('spec.dependsOn', 'dependsOn')]));
      model.addKind(kind('BaseImage', 'base image', []));
      model.addRelationPair(pair(['ManagedImage'], images, 'dependsOn', 'dependencyOf'));
      model.addRelationPair(pair(images, ['Group', 'User'], 'ownedBy', 'ownerOf'));
      model.addRelationPair(pair(images, ['System'], 'partOf', 'hasPart'));
    },
  });
}

/**
 * Starts a backend. `locations` are files it reads; `provider` gives it entities directly; `catalog` is a whole
 * configuration, for a catalog that knows no kinds but its own.
 */
async function start({ locations = [], provider, catalog, features = [] }) {
  const complaints = [];
  const note = level => (message, meta) => complaints.push(`${level}: ${message} ${meta ? String(meta.stack ?? JSON.stringify(meta)) : ''}`);
  const logger = { error: note('error'), warn: note('warn'), info() {}, debug() {}, child: () => logger };
  const backend = await startTestBackend({
    features: [
      feature('@backstage/plugin-catalog-backend'),
      feature('@backstage/plugin-catalog-backend-module-scaffolder-entity-model'),
      createBackendModule({
        pluginId: 'catalog',
        moduleId: 'plimsoll-test',
        register(env) {
          env.registerInit({
            deps: { model: catalogModelExtensionPoint, processing: catalogProcessingExtensionPoint },
            async init({ model, processing }) {
              if (!catalog) model.addModelSource(CatalogModelSources.static([imageKinds()]));
              if (provider) processing.addEntityProvider(provider);
            },
          });
        },
      }),
      createServiceFactory({ service: coreServices.rootLogger, deps: {}, factory: () => logger }),
      mockServices.rootConfig.factory({
        data: {
          backend: { baseUrl: 'http://localhost:7007', database: { client: 'better-sqlite3', connection: ':memory:' } },
          catalog: {
            processingInterval: { minutes: 10 },
            ...(catalog ?? { locations: locations.map(target => ({ type: 'file', target, rules: [{ allow: KINDS }] })) }),
          },
          integrations: { github: [{ host: 'git.acme.example', apiBaseUrl: 'https://git.acme.example/api/v3', token: 'none' }] },
        },
      }),
      ...features,
    ],
  });
  const base = `http://localhost:${backend.server.port()}/api`;
  const call = async (path, body) => {
    const init = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${base}${path}`, init);
    return { status: response.status, json: await response.json().catch(() => undefined) };
  };
  return { call, complaints, stop: () => backend.stop() };
}

/** All entities, once the references of `wanted` are there with their relations, or after a minute and a half. */
async function settled(backend, wanted) {
  let entities = [];
  for (let tries = 0; tries < 360; tries++) {
    entities = (await backend.call('/catalog/entities')).json;
    const { stringifyEntityRef } = require('@backstage/catalog-model');
    const there = new Map(entities.map(entity => [stringifyEntityRef(entity), entity]));
    if (wanted.every(({ ref, relations }) => there.has(ref) && (there.get(ref).relations ?? []).length >= relations)) break;
    // Asking for thousands of entities costs more than a pause.
    await new Promise(done => setTimeout(done, wanted.length > 500 ? 2000 : 250));
  }
  return entities;
}

module.exports = { feature, settled, start };
