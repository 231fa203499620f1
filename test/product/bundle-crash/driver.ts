/** A daemon to be killed: `driver.mjs WORKER`, with `{ base, wanted }` on stdin. Prints what failed. */
import { text } from 'node:stream/consumers';
import { childIn } from '../../../daemon/docker-app/bundle-child.js';
import type { Memory } from '../../../daemon/core/memory.js';
import { later, live } from './daemon.js';

const [worker = ''] = process.argv.slice(2);
Date.now = () => later;
const task = JSON.parse(await text(process.stdin)) as { base: string; wanted: Memory['wanted'] };
process.stdout.write(JSON.stringify(await live({ ...task, ask: childIn(worker) })));
