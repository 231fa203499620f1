/** Runtimes besides Docker Desktop: which VM is followed, and what is said of the others. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
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

/** Nothing is wrong: neither a kext nor a Docker Desktop is asked for. */
const isIdle = (mac: Mac): Promise<unknown> =>
  until('nothing is wrong without a VM', 90, async () => {
    const { exitCode, stdout } = await mac.run(['/usr/local/bin/tuntapctl', 'status']);
    return exitCode === 0 && stdout.startsWith('idle: ');
  });

const tuntapctl = (mac: Mac, ...words: readonly string[]): Promise<string> =>
  must(mac, ['/usr/local/bin/tuntapctl', ...words]);

test(
  'colima is followed while docker’s context leads to it, by nobody else’s word; OrbStack gets a sentence',
  () =>
    onMac({ docker: null }, async (mac) => {
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      await told(mac, 'NotRunning', /does not run/);
      await isIdle(mac);

      const pid = await startColima(mac);
      await told(mac, 'NotChosen', new RegExp(String.raw`^colima’s VM runs \(pid ${pid}\), .*“default”`));
      expect(await tuntapctl(mac, 'status')).toContain('docker context use');
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
      await isIdle(mac);
      await start(mac, '/Applications/OrbStack.app/Contents/MacOS/OrbStack Helper', 'vmgr', '-handoff');
      await mac.run(['/usr/local/bin/tuntapctl', 'up']);
      await told(mac, 'RoutesItself', /^OrbStack’s VM runs/);
    }),
  500_000,
);

/** Answers as much of the Engine API as it takes to be followed, and tells its pid once it does. */
const engineProgram = (socket: string): string => `
const answers = { version: { Version: "29.8.1", ApiVersion: "1.51", MinAPIVersion: "1.44", Arch: "arm64" } };
require("http").createServer((request, response) => {
  const what = /^(?:.v[0-9.]+)?.([a-z]+)/.exec(request.url)[1];
  if (what === "events") response.writeHead(200).flushHeaders();
  else response.end(JSON.stringify(answers[what] ?? []));
}).listen("${socket}", () => require("fs").writeFileSync("pid", String(process.pid)));`;

/** What each keeps where (lima templates/docker.yaml; rancher-desktop paths.ts, lima.ts). */
const others = [
  {
    name: 'Lima',
    limactl: '/opt/homebrew/bin/limactl',
    folder: `${home}/.lima/docker`,
    socket: `${home}/.lima/docker/sock/docker.sock`,
    context: 'lima-docker',
    vm: 'docker',
  },
  {
    name: 'Rancher Desktop',
    limactl: '/Applications/Rancher Desktop.app/Contents/Resources/resources/darwin/lima/bin/limactl.ventura',
    folder: `${home}/Library/Application Support/rancher-desktop/lima/0`,
    socket: `${home}/.rd/docker.sock`,
    context: 'rancher-desktop',
    vm: '0',
  },
] as const;

/** Its host agent, which offers the VM's engine on the Mac; returns its pid. */
const startHostAgent = (
  mac: Mac,
  { limactl, folder, socket, vm }: Pick<(typeof others)[number], 'limactl' | 'folder' | 'socket' | 'vm'>,
): Promise<string> =>
  asPerson(
    mac,
    `mkdir -p '${folder}' '${dirname(socket)}' ~/room; cd ~/room; rm -f pid '${socket}'
     cat >hostagent <<'END'
${engineProgram(socket)}
END
     (exec -a '${limactl}' /usr/local/bin/node hostagent --pidfile '${folder}/ha.pid' --socket '${folder}/ha.sock' \
       ${vm} </dev/null >/dev/null 2>&1 &)
     until [ -s pid ]; do sleep 0.1; done; cat pid`,
  );

test(
  'Lima and Rancher Desktop are followed by their contexts, each at its own socket; two at once are told apart',
  () =>
    onMac({ docker: null, macos: '26.2', processor: 'arm64' }, async (mac) => {
      await must(mac, ['/usr/bin/make', '-C', process.cwd(), 'install-daemon'], 180_000);
      const pids: string[] = [];
      for (const one of others) {
        pids.push(await startHostAgent(mac, one));
        await createContext(mac, one.context, `unix://${one.socket}`);
      }
      const agents = others.map((one, at) => ({ ...one, pid: pids[at] ?? '' }));
      await told(
        mac,
        'NotChosen',
        /^Lima’s VM runs \(pid \d+\); Rancher Desktop’s VM runs \(pid \d+\), .*“default”/,
      );
      for (const { name, context, pid } of agents) {
        await useContext(mac, context);
        const said = await told(mac, 'Running', new RegExp(`^${name}’s VM runs as pid ${pid} `));
        expect(said).toContain('is not followed: docker’s current context is not theirs');
        await until('its engine answers', 90, async () => {
          const { reason, message } = await conditionOf(mac, 'Engine');
          return reason === 'Answering' && message.startsWith('Docker Engine 29.8.1');
        });
        await until('what gives it a NIC is said', 90, async () =>
          (await conditionOf(mac, 'TapAttached')).message.includes('`vzNAT: true` under `networks`'),
        );
      }
      await asPerson(mac, `kill ${pids.join(' ')}`);
      await told(mac, 'NotRunning', /does not run/);
    }),
  300_000,
);
