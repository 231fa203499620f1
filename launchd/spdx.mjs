/** What a release consists of, as an SPDX 2.3 document (https://spdx.github.io/spdx-spec/v2.3/). Pure. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

const idOf = (name, version) => `SPDXRef-${name}-${version}`.replaceAll(/[^A-Za-z0-9.-]/g, '-');

/** npm’s integrity, `sha512-BASE64`, as a checksum of SPDX. */
const checksumOf = (integrity) => ({
  algorithm: 'SHA512',
  checksumValue: Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex'),
});

const fromNpm = ({ name, version, license, integrity }) => ({
  SPDXID: idOf(name, version),
  name,
  versionInfo: version,
  downloadLocation: `https://registry.npmjs.org/${name}/-/${name.replace(/^@[^/]+\//, '')}-${version}.tgz`,
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: license ?? 'NOASSERTION',
  copyrightText: 'NOASSERTION',
  checksums: [checksumOf(integrity)],
  externalRefs: [
    {
      referenceCategory: 'PACKAGE-MANAGER',
      referenceType: 'purl',
      referenceLocator: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    },
  ],
});

/**
 * The document, as text. `packages`: what of npm's is part of it, each with name, version, license and integrity as
 * package-lock.json has them. `date`: of the release, like 2026-11-27.
 */
export function spdxDocument({ version, license, date, packages }) {
  const own = idOf('tuntapd', version);
  const parts = packages.map(fromNpm);
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `tuntapd-${version}`,
    creationInfo: { created: `${date}T00:00:00Z`, creators: ['Tool: tuntapd-dist'] },
    packages: [
      {
        SPDXID: own,
        name: 'tuntapd',
        versionInfo: version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        licenseConcluded: license,
        licenseDeclared: license,
        copyrightText: 'NOASSERTION',
      },
      ...parts,
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: own },
      ...parts.map(({ SPDXID }) => ({
        spdxElementId: own,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
  const digest = createHash('sha256').update(JSON.stringify(document)).digest('hex');
  const named = { ...document, documentNamespace: `https://spdx.org/spdxdocs/tuntapd-${version}-${digest}` };
  return `${JSON.stringify(named, null, 2)}\n`;
}
