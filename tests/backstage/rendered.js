// The files under test: `RENDERED` names the directory that `plimsoll render --out` wrote.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { parseAllDocuments, parse } = require('yaml');

const root = path.join(process.env.RENDERED, 'backstage');
// The example of a Backstage: its organisation and its configuration.
const org = path.join(process.env.EXAMPLE, 'org.yaml');
const config = path.join(process.env.EXAMPLE, 'app-config.yaml');

function files(directory) {
  return fs
    .readdirSync(path.join(root, directory), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** The documents of a YAML text; any error or warning in it is thrown. */
function documents(text) {
  return parseAllDocuments(text).map(document => {
    const complaint = [...document.errors, ...document.warnings][0];
    if (complaint) throw complaint;
    return document.toJS();
  });
}

const read = file => documents(fs.readFileSync(file, 'utf8'));

/** Entities of the plain tree, without Locations. */
const tree = () => files('catalog').flatMap(read).filter(entity => entity.kind !== 'Location');

/** ConfigMaps. */
const configMaps = () => files('configmaps').flatMap(read);

/** Entities of the organisation that images name as owners and systems. */
const organisation = () => read(org);

module.exports = { config, configMaps, documents, files, org, organisation, parse, read, root, tree };
