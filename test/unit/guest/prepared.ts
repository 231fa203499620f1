import type { GuestReport } from '../../../daemon/core/observation.js';
import { prepareGuest } from '../../../daemon/guest/link-end.js';

export type PrepareParameters = Parameters<typeof prepareGuest>[1];

/** Sets an end up, and resolves to the report of it. */
export async function prepared(
  engine: Parameters<typeof prepareGuest>[0],
  how: PrepareParameters,
): Promise<GuestReport> {
  const reports: GuestReport[] = [];
  await prepareGuest(engine, how, (report) => {
    reports.push(report);
    return Promise.resolve();
  });
  const [first] = reports;
  if (!first || reports.length > 1) throw new Error(`${reports.length} ends were reported`);
  return first;
}
