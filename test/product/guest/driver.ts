/** `driver prepare|release MAC raw|plain`: does the daemon's work by way of the agent that $AGENT starts, and tells in lines. */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { converse } from '../../../daemon/guest/agent/conversation.js';
import { prepare, release } from '../../../daemon/guest/agent-work.js';
import { StepError } from '../../../daemon/core/steps.js';
import { messageOf } from '../../../daemon/lib/text.js';

const [action = '', mac = '', raw = ''] = process.argv.slice(2);
const [file = '', ...args] = (process.env['AGENT'] ?? '').split(' ');
const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
const agent = converse(stream, { signal: AbortSignal.timeout(30_000) });
const end = { nic: mac, vmAddress: '10.0.75.2', prefix: 30 };
try {
  if (action === 'release') await release(agent, end);
  else {
    const report = await prepare(agent, {
      ...end,
      mtu: 1400,
      macAddress: '10.0.75.1',
      needsRaw: raw === 'raw',
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
