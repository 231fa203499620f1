/**
 * The agent as an image, made in memory: the same bytes each time, so its id is known before any engine is asked
 * (docs/decisions/0013).
 * One archive serves every engine: `manifest.json` is what Docker's own store reads (moby image/tarexport), the OCI
 * layout around it what containerd's does. Pure.
 */
import { createHash } from 'node:crypto';

/** Processors that the agent is built for, in Docker's word for them. */
export type Architecture = 'amd64' | 'arm64';

export interface AgentImage {
  /** For POST /images/load. */
  readonly archive: Buffer;
  /** The ids that an engine can give it: the configuration's digest (Docker's store), the manifest's (containerd's). */
  readonly ids: readonly [configuration: string, manifest: string];
}

const block = 512;

/** A tar archive (POSIX ustar) of plain files, owned by root and without a date. */
function tar(files: readonly { name: string; mode: number; bytes: Buffer }[]): Buffer {
  const parts = files.flatMap(({ name, mode, bytes }) => {
    const head = Buffer.alloc(block);
    const octal = (value: number, at: number, width: number): void => {
      head.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
    };
    head.write(name, 0, 100, 'latin1');
    octal(mode, 100, 8);
    octal(0, 108, 8);
    octal(0, 116, 8);
    octal(bytes.length, 124, 12);
    octal(0, 136, 12);
    head.write('        0', 148, 'latin1');
    head.write('ustar\x0000', 257, 'latin1');
    const sum = head.reduce((total, byte) => total + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [head, bytes, Buffer.alloc((block - (bytes.length % block)) % block)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** The image of an agent's program. */
export function agentImage(program: Buffer, architecture: Architecture): AgentImage {
  const layer = tar([{ name: 'agent', mode: 0o755, bytes: program }]);
  const configuration = json({
    architecture,
    os: 'linux',
    config: { Entrypoint: ['/agent'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${hashOf(layer)}`] },
    history: [{ created_by: 'tuntapd' }],
  });
  const descriptorOf = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: `sha256:${hashOf(bytes)}`,
    size: bytes.length,
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptorOf('application/vnd.oci.image.config.v1+json', configuration),
    layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptorOf('application/vnd.oci.image.manifest.v1+json', manifest),
        platform: { architecture, os: 'linux' },
      },
    ],
  });
  const blobOf = (bytes: Buffer): string => `blobs/sha256/${hashOf(bytes)}`;
  const files = [layer, configuration, manifest].map((bytes) => ({ name: blobOf(bytes), bytes }));
  const archive = tar(
    [
      ...files,
      { name: 'index.json', bytes: index },
      {
        name: 'manifest.json',
        bytes: json([{ Config: blobOf(configuration), RepoTags: null, Layers: [blobOf(layer)] }]),
      },
      { name: 'oci-layout', bytes: json({ imageLayoutVersion: '1.0.0' }) },
    ].map((file) => ({ ...file, mode: 0o644 })),
  );
  return { archive, ids: [`sha256:${hashOf(configuration)}`, `sha256:${hashOf(manifest)}`] };
}
