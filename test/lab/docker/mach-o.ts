/** Generated Mach-O executables: complete to the end of their signature, as loader.h and cs_blobs.h lay them out. */
import { createHash } from 'node:crypto';

const header = 32;
const segmentCommand = 72;
const textSize = 0x1000;

/** The first 16 bytes of every thin x86_64 executable made here: magic, CPU type and subtype, MH_EXECUTE. */
const machOMagic = Buffer.from('cffaedfe07000001030000000200000000', 'hex').subarray(0, 16);

function segment(name: string, offset: number, size: number, protection: number): Buffer {
  const command = Buffer.alloc(segmentCommand);
  command.writeUInt32LE(0x19, 0);
  command.writeUInt32LE(segmentCommand, 4);
  command.write(name, 8, 'ascii');
  command.writeBigUInt64LE(0x1_0000_0000n + BigInt(offset), 24);
  command.writeBigUInt64LE(BigInt(Math.max(size, 0x1000)), 32);
  command.writeBigUInt64LE(BigInt(offset), 40);
  command.writeBigUInt64LE(BigInt(size), 48);
  command.writeUInt32LE(protection, 56);
  command.writeUInt32LE(protection, 60);
  return command;
}

/** A thin 64-bit executable whose content depends on `seed` alone. */
export function machO(seed: string): Buffer {
  const digest = createHash('sha512').update(seed).digest();
  const signature = Buffer.concat([
    Buffer.from('fade0cc0000000600000000100000000', 'hex'),
    digest,
    Buffer.alloc(16),
  ]);
  const zero = segment('__PAGEZERO', 0, 0, 0);
  const text = segment('__TEXT', 0, textSize, 5);
  const linkedit = segment('__LINKEDIT', textSize, signature.length, 1);
  const codeSignature = Buffer.alloc(16);
  codeSignature.writeUInt32LE(0x1d, 0);
  codeSignature.writeUInt32LE(16, 4);
  codeSignature.writeUInt32LE(textSize, 8);
  codeSignature.writeUInt32LE(signature.length, 12);
  const commands = Buffer.concat([zero, text, linkedit, codeSignature]);
  const head = Buffer.alloc(header);
  machOMagic.copy(head);
  head.writeUInt32LE(4, 16);
  head.writeUInt32LE(commands.length, 20);
  // A reserved word, zero in all others: by it the kernel tells these from a Mach-O of the host's own.
  head.write('lab!', 28, 'ascii');
  const body = Buffer.alloc(textSize);
  Buffer.concat([head, commands]).copy(body);
  for (let at = 512; at + 64 <= textSize; at += 64) digest.copy(body, at);
  return Buffer.concat([body, signature]);
}
