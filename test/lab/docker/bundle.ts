import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { machO } from './mach-o.js';
import { isAtLeast } from './settings.js';

export type Layout =
  'MacOS/com.docker.hyperkit' | 'Resources/bin/hyperkit' | 'Resources/bin/com.docker.hyperkit';

/** Docker's own `docker`: one that has `docker desktop` (Docker Desktop 4.37 and newer), or one from before. */
export type DockerCli = 'with-desktop' | 'without-desktop';

const infoPlist = (version: string): string => `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
\t<key>CFBundleExecutable</key>
\t<string>Docker</string>
\t<key>CFBundleIdentifier</key>
\t<string>com.docker.docker</string>
\t<key>CFBundleShortVersionString</key>
\t<string>${version}</string>
</dict>
</plist>
`;

/**
 * Writes a Docker.app, owned by its user as Docker's own installer leaves it; with `layout` null one without hyperkit,
 * without `cli` one without `docker`.
 */
export function writeDockerApp(options: {
  path: string;
  owner: { uid: number; gid: number };
  layout?: Layout | null;
  /** Whether com.docker.virtualization is there beside hyperkit, as in every Docker for Intel since 2022. */
  virtualization?: boolean;
  version?: string;
  seed?: string;
  cli?: DockerCli;
}): void {
  const {
    path,
    owner,
    layout = 'Resources/bin/com.docker.hyperkit',
    virtualization = false,
    version = '4.1.1',
    seed = version,
    cli,
  } = options;
  const files: Record<string, Buffer> = {
    'Contents/Info.plist': Buffer.from(infoPlist(version)),
    'Contents/MacOS/Docker': machO(`${seed} Docker`),
    'Contents/MacOS/com.docker.backend': machO(`${seed} backend`),
    [`Contents/${layout ?? 'MacOS/com.docker.virtualization'}`]: machO(`${seed} hyperkit`),
    ...(virtualization && {
      'Contents/MacOS/com.docker.virtualization': machO(`${seed} virtualization`),
    }),
    // Docker VMM is Apple silicon's.
    ...(layout === null &&
      isAtLeast(version, 86) && { 'Contents/MacOS/com.docker.sailor': machO(`${seed} vmm`) }),
    ...(cli && { 'Contents/Resources/bin/docker': machO(`${seed} docker`) }),
    ...(cli === 'with-desktop' && {
      'Contents/Resources/cli-plugins/docker-desktop': machO(`${seed} docker-desktop`),
    }),
  };
  const own = (name: string): void => {
    chownSync(name, owner.uid, owner.gid);
  };
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, name);
    const missing: string[] = [];
    for (let folder = dirname(file); folder.startsWith(path); folder = dirname(folder))
      missing.unshift(folder);
    mkdirSync(dirname(file), { recursive: true });
    missing.forEach(own);
    writeFileSync(file, content, { mode: name.endsWith('.plist') ? 0o644 : 0o755 });
    own(file);
  }
}
