// The enrolment form: taken by the catalog, and run by the scaffolder with its own actions as far as a dry run goes.
'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { feature, settled, start } = require('./backend');
const rendered = require('./rendered');

const directory = path.join(rendered.root, 'templates/enrol-image');
const [template] = rendered.read(path.join(directory, 'template.yaml'));
const skeleton = fs.readFileSync(path.join(directory, 'skeleton.yaml.njk'));

/** What the form sends when only what it asks for is filled in. */
const managed = {
  name: 'billing-api',
  registry: 'ghcr.io',
  repository: 'acme/billing-api',
  owner: 'group:default/web',
  system: 'shop',
  lifecycle: 'production',
  kind: 'managed',
  provider: 'github',
  repo: 'acme/billing',
  dockerfile: 'api/Dockerfile',
  rebuildDelay: '7d',
  autoRebuild: true,
};
const external = {
  name: 'nginx',
  registry: 'docker.io',
  repository: 'library/nginx',
  owner: 'group:default/web',
  kind: 'external',
  strategy: 'Digest',
  constraint: '1.29-alpine',
};

let backend;
before(async () => {
  backend = await start({
    locations: [path.join(directory, 'template.yaml'), rendered.org],
    features: [feature('@backstage/plugin-scaffolder-backend'), feature('@backstage/plugin-scaffolder-backend-module-github')],
  });
});
after(() => backend?.stop());

const dryRun = values =>
  backend.call('/scaffolder/v2/dry-run', {
    template,
    values,
    secrets: {},
    directoryContents: [{ path: 'skeleton.yaml.njk', base64Content: skeleton.toString('base64') }],
  });

/** The one file that a dry run makes. */
async function made(values) {
  const { status, json } = await dryRun(values);
  assert.equal(status, 200, JSON.stringify(json));
  const files = json.directoryContents;
  assert.deepEqual(files.map(file => file.path), [`images.d/${values.name}.yaml`]);
  const steps = json.steps ?? [];
  assert.ok(steps.length === 0 || steps.every(step => step.action), JSON.stringify(steps));
  return { text: Buffer.from(files[0].base64Content, 'base64').toString(), output: json.output };
}

/** What Plimsoll says of a config repository with one file in images.d. */
function validate(name, text) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'enrolled-'));
  try {
    fs.mkdirSync(path.join(home, 'images.d'));
    fs.writeFileSync(path.join(home, 'images.yaml'), 'images: []\n');
    fs.writeFileSync(path.join(home, 'images.d', `${name}.yaml`), text);
    const { status, stdout, stderr } = spawnSync(process.env.PLIMSOLL, ['validate', '-o', 'json', home], { encoding: 'utf8' });
    return { status, told: `${stdout}${stderr}` };
  } finally {
    fs.rmSync(home, { recursive: true });
  }
}

test('the catalog takes the Template, and the scaffolder knows its actions', async () => {
  const entities = await settled(backend, [{ ref: 'template:default/enrol-image', relations: 1 }]);
  assert.ok(entities.some(entity => entity.kind === 'Template' && entity.metadata.name === 'enrol-image'));
  assert.deepEqual(backend.complaints, []);
  const actions = (await backend.call('/scaffolder/v2/actions')).json.map(action => action.id);
  for (const step of template.spec.steps) assert.ok(actions.includes(step.action), step.action);
});

for (const [what, values, wanted] of [
  [
    'built here',
    managed,
    {
      name: 'billing-api',
      registry: 'ghcr.io',
      repository: 'acme/billing-api',
      owner: 'group:default/web',
      system: 'shop',
      lifecycle: 'production',
      source: { provider: 'github', repo: 'acme/billing', dockerfile: 'api/Dockerfile' },
      rebuildDelay: '7d',
      autoRebuild: true,
    },
  ],
  [
    'watched only',
    external,
    {
      name: 'nginx',
      registry: 'docker.io',
      repository: 'library/nginx',
      owner: 'group:default/web',
      imageSelectionStrategy: 'Digest',
      constraint: '1.29-alpine',
    },
  ],
]) {
  test(`an image that is ${what} is enrolled by one file that Plimsoll takes`, async () => {
    const { text, output } = await made(values);
    assert.ok(!text.includes('Plimsoll'), text);
    assert.ok(text.startsWith('name: '), text);
    assert.deepEqual(rendered.parse(text), wanted);
    assert.deepEqual(validate(values.name, text).status, 0, validate(values.name, text).told);
    assert.equal(output.links.length, 1);
  });
}

test('texts of the form stay texts', async () => {
  for (const text of ['a: b', '# c', '"', "'", '\\', '${{ parameters.name }}', '{{ x }}', '{% if x %}', '{# x #}', '- a', 'yes', '1.10', '&a *b !c']) {
    const { text: file } = await made({ ...managed, title: text, description: text });
    const entry = rendered.parse(file);
    assert.equal(entry.title, text);
    assert.equal(entry.description, text);
    assert.deepEqual(Object.keys(entry).sort(), [
      'autoRebuild', 'description', 'lifecycle', 'name', 'owner', 'rebuildDelay', 'registry', 'repository', 'source', 'system', 'title',
    ]);
    assert.equal(validate('billing-api', file).status, 0, file);
  }
});

test('what can not be an entry is refused before anything is made', async () => {
  for (const [field, value] of [
    ['name', '../x'],
    ['name', 'A'],
    ['name', 'a..b'],
    ['name', 'a\nb: c'],
    ['registry', 'ghcr.io/x'],
    ['registry', 'ghcr'],
    ['repository', 'Acme/x'],
    ['repository', 'acme/x:1'],
    ['title', 'a\nb: c'],
    ['description', 'a\u2028b'],
    ['owner', '${{ x }}'],
    ['system', 'a b'],
    ['lifecycle', 'x'],
    ['provider', 'svn'],
    ['repo', 'acme'],
    ['dockerfile', '../Dockerfile'],
    ['dockerfile', '/etc/passwd'],
    ['rebuildDelay', 'soon'],
    ['autoRebuild', 'x: y'],
  ]) {
    const { status } = await dryRun({ ...managed, [field]: value });
    assert.equal(status, 400, `${field}: ${JSON.stringify(value)}`);
  }
  for (const missing of ['name', 'registry', 'repository', 'owner', 'kind', 'dockerfile', 'repo']) {
    const { [missing]: _, ...values } = managed;
    assert.equal((await dryRun(values)).status, 400, missing);
  }
  const { constraint: _, ...values } = external;
  assert.equal((await dryRun(values)).status, 400, 'constraint');
});
