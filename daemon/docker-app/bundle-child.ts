import { run } from '../lib/command.js';
import type { WorkerRequest } from './bundle-protocol.js';

/**
 * Has a request carried out by the child program at `worker`; what that says, which is untrusted. Rejects when the
 * child could not be run, took longer than 30 s or said nothing sensible.
 */
export const childIn =
  (worker: string) =>
  async (request: WorkerRequest): Promise<unknown> => {
    const { stdout, stderr } = await run(process.execPath, [worker], {
      input: JSON.stringify(request),
      timeout: 30_000,
    });
    try {
      return JSON.parse(stdout) as unknown;
    } catch {
      throw new Error(`the child in ${request.app} gave no sensible answer: ${stderr.slice(0, 500)}`);
    }
  };
