/** What an answer of the names' server takes, asked a thousand times a second while it has the names of many containers. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { encode } from 'dns-packet';

const nobody = 4_294_967_294;
const zone = 'docker';
const rate = 1000;
const seconds = 10;

/** Names as so many containers of projects have them, in each round with other addresses. */
const namesOf = (containers, round = 0) =>
  Array.from({ length: containers }, (_, index) => {
    const addresses = [`172.18.${(index + round) >> 8}.${(index + round) & 255}`];
    const service = `web.shop${index % 250}`;
    return [
      [`shop-web-${index}`, addresses],
      [`${index}.${service}`, addresses],
      [`alias-${index}.shop-default`, addresses],
    ];
  }).flat();

/**
 * Of the server's own loop: in it, since who asks has stalls of its own. At each SIGUSR2 it tells and forgets the longest, and
 * the longest time in which it was the server that ran: a busy machine lets it wait too.
 */
const stalls = `
  let last = performance.now();
  let used = process.cpuUsage();
  let longest = 0;
  let own = 0;
  setInterval(() => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(used);
    const stall = now - last - 1;
    longest = Math.max(longest, stall);
    own = Math.max(own, Math.min(stall, (user + system) / 1000));
    last = now;
    used = process.cpuUsage();
  }, 1).unref();
  process.on('SIGUSR2', () => {
    process.stderr.write(longest.toFixed(1) + ' ms (' + own.toFixed(1) + ' its own)\\n');
    longest = 0;
    own = 0;
  });`;

/** Starts the program at `worker` with these names; returns its port, how to hand it others, its loop's longest stall since it was last asked, and how to end it. */
async function startServer(worker, first) {
  const preload = `data:text/javascript,${encodeURIComponent(stalls)}`;
  // The first option is the daemon's own (daemon/names/server.ts).
  const options = ['--max-semi-space-size=2', '--import', preload];
  const child = spawn(process.execPath, [...options, worker], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said = createInterface({ input: child.stderr });
  const ports = Array.from({ length: 8 }, () => 20_000 + Math.floor(Math.random() * 10_000));
  child.stdin.write(`${JSON.stringify({ uid: nobody, gid: nobody, ports })}\n${first}`);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    port: Number(/^port (\d+)$/.exec(line)?.[1]),
    hand: (text) => child.stdin.write(text),
    longestStall: async () => {
      const line = once(said, 'line');
      child.kill('SIGUSR2');
      return (await line)[0];
    },
    end: () => child.kill('SIGKILL'),
  };
}

/** What hands it these names, as the daemon does (daemon/names/table.ts). */
const textOf = (names) =>
  [
    ...Array.from({ length: Math.ceil(names.length / 500) }, (_, line) =>
      names.slice(line * 500, line * 500 + 500),
    ),
    { zone, isCurrent: true },
  ]
    .map((said) => `${JSON.stringify(said)}\n`)
    .join('');

/** Milliseconds that each answer took, in their order; what is not answered is left out. */
async function ask(port, names) {
  const socket = createSocket('udp4');
  const sent = new Map();
  const times = [];
  socket.on('message', (bytes) => {
    const began = sent.get(bytes.readUInt16BE(0));
    if (began !== undefined) times.push(performance.now() - began);
  });
  const began = performance.now();
  for (let count = 0; count < rate * (1 + seconds); await pause(1))
    for (const due = ((performance.now() - began) * rate) / 1000; count < due; count += 1) {
      const [name] = names[(count * 7919) % names.length];
      const id = count % 0x1_0000;
      const questions = [{ name: `${count % 3 === 0 ? `absent-${count}` : name}.${zone}`, type: 'A' }];
      // The first second is for the compiler.
      if (count >= rate) sent.set(id, performance.now());
      socket.send(encode({ type: 'query', id, questions }), port, '127.0.0.1');
    }
  await pause(200);
  socket.close();
  return times.toSorted((a, b) => a - b);
}

/** Lines of a report, made with the built program at `worker`. */
export async function timeNames(worker) {
  const names = namesOf(5000);
  const { port, hand, longestStall, end } = await startServer(worker, textOf([]));
  const at = (times, share) => (times[Math.floor(times.length * share)] ?? times.at(-1) ?? NaN).toFixed(2);
  try {
    // Nobody asks what has only just started.
    await longestStall();
    hand(textOf(names));
    await pause(1000);
    const taking = await longestStall();
    const times = await ask(port, names);
    const asked = await longestStall();
    // Made beforehand: whoever asks is not to be held up.
    const changes = Array.from({ length: seconds + 2 }, (_, round) => textOf(namesOf(5000, round + 1)));
    const changing = setInterval(() => {
      hand(changes.shift() ?? '');
    }, 1000);
    const meanwhile = await ask(port, names);
    clearInterval(changing);
    const changed = await longestStall();
    return [
      `names of 5000 containers, ${rate} queries a second: p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms   (target p99 <= 2 ms)`,
      `  answered: ${times.length} in ${seconds} s`,
      `  while all of them change every second: p50 ${at(meanwhile, 0.5)} ms, longest ${at(meanwhile, 1)} ms`,
      `  longest stall of the server: asked ${asked}, while all change ${changed}, taking the first ${taking}   (target <= 20 ms)`,
    ];
  } finally {
    end();
  }
}
