/**
 * Mounts a file system of its own on a folder, answers the kernel's first word and no other: whoever asks for anything
 * in it waits, in uninterruptible sleep (fs/fuse/dev.c, request_wait_answer). Prints a line when it is there. Its end
 * sets everybody free.
 */
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { openSync, readSync, writeSync } from 'node:fs';

const [folder] = process.argv.slice(2);
const device = openSync('/dev/fuse', 'r+');
const { status, stderr } = spawnSync(
  'mount',
  ['-i', '-t', 'fuse', 'dead', folder, '-o', 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other'],
  { stdio: ['ignore', 'ignore', 'pipe', device], encoding: 'utf8' },
);
if (status !== 0) throw new Error(stderr);

const request = Buffer.alloc(1_048_576);
readSync(device, request);
/** struct fuse_out_header, then struct fuse_init_out of 7.31. */
const answer = Buffer.alloc(80);
answer.writeUInt32LE(answer.length, 0);
request.copy(answer, 8, 8, 16);
answer.writeUInt32LE(7, 16);
answer.writeUInt32LE(31, 20);
answer.writeUInt32LE(131_072, 36);
writeSync(device, answer);
console.log('dead');
for (;;) readSync(device, request);
