/**
 * `driver prepare|release MAC raw|plain|given`, `driver look`: does the daemon's work by way of the agent that $AGENT starts, and tells in
 * lines. `given`: the NIC has an address of its own.
 */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { converse } from '../../../daemon/guest/agent/conversation.js';
import { lookAtNics, prepare, release } from '../../../daemon/guest/agent-work.js';
import { StepError } from '../../../daemon/core/steps.js';
import { messageOf } from '../../../daemon/lib/text.js';

const [action = '', mac = '', raw = ''] = process.argv.slice(2);
const [file = '', ...args] = (process.env['AGENT'] ?? '').split(' ');
const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
const agent = converse(stream, { signal: AbortSignal.timeout(30_000) });
const end =
  raw === 'given'
    ? { nic: mac, vmAddress: '192.168.64.2', prefix: 24, isGiven: true }
    : { nic: mac, vmAddress: '10.0.75.2', prefix: 30 };
try {
  if (action === 'look') for (const nic of await lookAtNics(agent)) console.log(`nic=${JSON.stringify(nic)}`);
  else if (action === 'release') await release(agent, end);
  else {
    const report = await prepare(agent, {
      ...end,
      mtu: 1400,
      macAddress: raw === 'given' ? '192.168.64.1' : '10.0.75.1',
      needsRaw: raw !== 'plain',
    });
    console.log(`interface=${report.interface}`);
    for (const rule of report.rules) console.log(`rule=${rule}`);
  }
  await agent.quit();
} catch (error) {
  if (error instanceof StepError) console.log(`reason=${error.reason}`);
  console.log(`error=${messageOf(error)}`);
  process.exitCode = 1;
} finally {
  child.kill('SIGKILL');
}
