/** Runtimes besides Docker Desktop: which VM is followed, and what is said of the others. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Mac } from '../lab/lab.js';
import { conditionOf, logOf, must, onMac } from './lib/vocabulary.js';
import { until } from '../lib/until.js';

const home = '/Users/person';
const instance = `${home}/.colima/_lima/colima`;

async function asPerson(mac: Mac, script: string): Promise<string> {
  const { stdout, stderr, exitCode } = await mac.asUser(['/bin/bash', '-euc', script]);
  if (exitCode !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
}

/** Starts a process that has these words, as far as `ps` tells: node, with a script named `verb`. Returns its pid. */
const start = (mac: Mac, argv0: string, verb: string, ...words: readonly string[]): Promise<string> =>
  asPerson(
    mac,
    `mkdir -p '${instance}' ~/room; cd ~/room; rm -f pid
     echo 'require("fs").writeFileSync("pid", String(process.pid)); setInterval(() => 0, 1e6)' >${verb}
     (exec -a '${argv0}' /usr/local/bin/node ${verb} ${words.join(' ')} </dev/null >/dev/null 2>&1 &)
     until [ -s pid ]; do sleep 0.1; done; cat pid`,
  );

async function startColima(mac: Mac): Promise<string> {
  const files = ['--pidfile', `${instance}/ha.pid`, '--socket', `${instance}/ha.sock`];
  const pid = await start(mac, '/opt/homebrew/bin/limactl', 'hostagent', ...files, 'colima');
  await asPerson(mac, `echo ${pid} >'${instance}/ha.pid'`);
  return pid;
}

/** `docker context create`, as colima does it. */
function createContext(mac: Mac, name: string, host: string): Promise<string> {
  const folder = `${home}/.docker/contexts/meta/${createHash('sha256').update(name).digest('hex')}`;
  const meta = JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker: { Host: host } } });
  return asPerson(mac, `mkdir -p ${folder}; echo '${meta}' >${folder}/meta.json`);
}

const useContext = (mac: Mac, name: string): Promise<string> =>
  asPerson(mac, `mkdir -p ~/.docker; echo '{"currentContext":"${name}"}' >~/.docker/config.json`);

const told = (mac: Mac, reason: string, words: RegExp): Promise<string> =>
  until(`it is said: ${reason} ${String(words)}`, 60, async () => {
    const found = await conditionOf(mac, 'VirtualMachine');
    return found.reason === reason && words.test(found.message) && found.message;
  });

const tuntapctl = (mac: Mac, ...words: readonly string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);

test(
  'colima is followed while docker’s context leads to it, by nobody else’s word; OrbStack gets a sentence',
  () =>
    onMac({ docker: null }, async (mac) => {
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      await told(mac, 'NotRunning', /does not run/);

      const pid = await startColima(mac);
      await told(mac, 'NotChosen', new RegExp(String.raw`^colima’s VM runs \(pid ${pid}\), .*“default”`));
      await createContext(mac, 'colima', `unix://${home}/.colima/default/docker.sock`);
      await useContext(mac, 'colima');
      await told(mac, 'Running', new RegExp(`^colima’s VM runs as pid ${pid} `));

      // Root could read it, and the user cannot.
      writeFileSync(mac.path('/var/root/config.json'), '{"currentContext":"roots"}', { mode: 0o600 });
      await asPerson(mac, 'ln -sf /var/root/config.json ~/.docker/config.json');
      await tuntapctl(mac, 'config', 'set', 'log.level', 'debug');
      await told(mac, 'NotSeen', /^docker’s context cannot be read: .*EACCES/);
      expect(JSON.stringify(logOf(mac))).not.toContain('roots');
      await asPerson(mac, 'rm ~/.docker/config.json');

      await tuntapctl(mac, 'config', 'set', 'docker.context', 'colima');
      await told(mac, 'Running', /^colima’s VM runs/);
      await tuntapctl(mac, 'config', 'set', 'docker.context', 'nothing');
      await told(mac, 'ContextMissing', /“nothing”/);
      expect((await mac.run(['/usr/local/bin/tuntapctl', 'doctor'])).stdout).toMatch(
        /FAIL TT001 .*\n.*“nothing”/,
      );
      await tuntapctl(mac, 'config', 'set', 'docker.context', 'auto');

      await asPerson(mac, `kill ${pid}; rm '${instance}/ha.pid'`);
      await told(mac, 'NotRunning', /does not run/);
      await start(mac, '/Applications/OrbStack.app/Contents/MacOS/OrbStack Helper', 'vmgr', '-handoff');
      await mac.run(['/usr/local/bin/tuntapctl', 'up']);
      await told(mac, 'RoutesItself', /^OrbStack’s VM runs/);
    }),
  500_000,
);
