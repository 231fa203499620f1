import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { agentImage } from '../../../daemon/guest/agent/image.js';
import { untar } from './untar.js';

const digestOf = (bytes: Buffer | undefined): string =>
  `sha256:${createHash('sha256')
    .update(bytes ?? '')
    .digest('hex')}`;

test('an image is the same each time, and its ids are the digests in its archive', () => {
  const programs = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(programs, fc.constantFrom('amd64' as const, 'arm64' as const), (program, architecture) => {
      const { archive, ids } = agentImage(program, architecture);
      expect(agentImage(Buffer.from(program), architecture).archive.equals(archive)).toBe(true);
      const files = untar(archive);
      for (const [name, bytes] of files)
        if (name.startsWith('blobs/')) expect(digestOf(bytes)).toBe(name.slice(6).replace('/', ':'));
      const [{ Config }] = JSON.parse(String(files.get('manifest.json'))) as [{ Config: string }];
      const { manifests } = JSON.parse(String(files.get('index.json'))) as {
        manifests: { digest: string }[];
      };
      expect(ids).toEqual([digestOf(files.get(Config)), manifests[0]?.digest]);
    }),
    { numRuns: 50 },
  );
});

test('tar reads it', () => {
  const { archive } = agentImage(Buffer.from('program'), 'amd64');
  const listed = execFileSync('tar', ['-tf', '-'], { input: archive, encoding: 'utf8' });
  expect(listed.split('\n').filter((name) => !name.startsWith('blobs/sha256/'))).toEqual([
    'index.json',
    'manifest.json',
    'oci-layout',
    '',
  ]);
});

test('another program, or another processor, is another image', () => {
  const ids = [
    agentImage(Buffer.from('a'), 'amd64'),
    agentImage(Buffer.from('b'), 'amd64'),
    agentImage(Buffer.from('a'), 'arm64'),
  ].flatMap((image) => image.ids);
  expect(new Set(ids).size).toBe(6);
});
